package tenancy

import (
	"slices"
	"time"
)

// MaxAccessLife is how long an access token lives at most, whatever a tenant's settings say.
const MaxAccessLife = time.Hour

// issuerGrace is how long a former issuer is kept: the life of the last token that names it, and some minutes for clocks that
// differ and for a replica that has not heard of the change yet.
const issuerGrace = MaxAccessLife + 5*time.Minute

// FormerIssuer is an issuer that a tenant had before its primary domain or its slug changed: a host or, where that is empty,
// the place of a slug on the shared host. With both it is such a place on the shared host of the installation that the tenant comes from.
type FormerIssuer struct {
	Host    Host
	Slug    Slug
	EndedAt time.Time
}

// good reports whether a token that names the issuer may still be alive.
func (f FormerIssuer) good(now time.Time) bool { return now.Before(f.EndedAt.Add(issuerGrace)) }

// wasIssuer reports whether a token may be alive that names the place of this slug on the shared host.
func (t Tenant) wasIssuer(s Slug, now time.Time) bool {
	return slices.ContainsFunc(t.FormerIssuers, func(f FormerIssuer) bool { return f.Host == "" && f.Slug == s && f.good(now) })
}

// Issuer is a tenant's issuer identifier (RFC 8414 section 2): its primary domain or, where it has none, its place on
// the shared host. A tenant has one issuer, whichever way a request came in; see IssuerAt for the hour after a change.
func (a Address) Issuer(t Tenant) string { return a.issuer(t.PrimaryDomain, t.Slug) }

func (a Address) issuer(h Host, s Slug) string {
	if h != "" {
		return a.Origin(h)
	}
	return a.Origin(a.shared) + "/t/" + string(s)
}

func (a Address) former(f FormerIssuer) string {
	if f.Host != "" && f.Slug != "" {
		return a.Origin(f.Host) + "/t/" + string(f.Slug)
	}
	return a.issuer(f.Host, f.Slug)
}

// Issued reports whether tokens of the tenant may name this issuer: it is the tenant's, or was until a moment ago.
func (a Address) Issued(t Tenant, issuer string, now time.Time) bool {
	if issuer == a.Issuer(t) {
		return true
	}
	for _, f := range t.FormerIssuers {
		if f.good(now) && issuer == a.former(f) {
			return true
		}
	}
	return false
}

// IssuerAt is the issuer that discovery names where a request came in. A verifier that still has tokens of a former issuer
// looks for their keys at that issuer's own address and takes only metadata that names it (RFC 8414 section 3.3); so as long
// as such a token may be alive that address, if it is the tenant's still, speaks of itself.
func (a Address) IssuerAt(t Tenant, s Site, now time.Time) string {
	for _, f := range t.FormerIssuers {
		here := f.Host == s.host && f.Slug == ""
		if s.Shared() {
			here = f.Host == "" && string(f.Slug) == s.hints.PathSlug
		}
		if here && f.good(now) {
			return a.issuer(f.Host, f.Slug)
		}
	}
	return a.Issuer(t)
}
