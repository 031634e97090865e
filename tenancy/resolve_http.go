package tenancy

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Admitted is a caller whom a Guard let in.
type Admitted struct {
	Tenant Tenant // whose the request is, and the caller too
	Caller string // who in the tenant, as a name for what is kept per caller
	Actor  Actor  // the same, for the audit log
}

// Handler is an operation of one tenant.
type Handler func(w http.ResponseWriter, r *http.Request, by Admitted) error

// Guard admits callers to administrative operations. Identity satisfies it. The operation runs only for a caller of
// the request's own tenant who is its administrator or holds a key with the scope; Platform besides wants that tenant
// to be the platform tenant.
type Guard interface {
	Require(scope string, h Handler) rest.Handler
	Platform(scope string, h Handler) rest.Handler
}

// Front finds out whose an HTTP request is.
type Front struct {
	Resolver *Resolver
	Trusted  []netip.Prefix // proxies whose X-Forwarded-Host is believed
}

// Site recognises the host of a request.
func (f Front) Site(r *http.Request) (Site, error) {
	c, err := CredentialOf(r)
	if err != nil {
		return Site{}, err
	}
	h := Hints{Host: rest.ForwardedHost(r, f.Trusted), PathSlug: pathSlug(r.Context())}
	// Sent twice it names two tenants; joined, the two agree with nobody.
	h.HeaderID = strings.Join(r.Header.Values("X-Tenant-ID"), ",")
	if _, sent := r.Header["X-Tenant-Id"]; sent && h.HeaderID == "" {
		h.HeaderID = "-" // an empty hint is still a hint, and names nobody
	}
	if c.Bearer != "" {
		h.Credential = append(h.Credential, claimedByToken(c.Bearer))
	}
	if c.APIKey != "" {
		h.Credential = append(h.Credential, claimedByKey(c.APIKey))
	}
	site, err := f.Resolver.Site(r.Context(), h)
	if err != nil {
		// The one thing that tells an operator why a proxy's requests find nobody.
		rest.AddLogAttrs(r.Context(), slog.String("host", h.Host[:min(len(h.Host), 255)]))
	}
	return site, err
}

// Tenant is whose a request without a tenant_slug in its body is.
func (f Front) Tenant(r *http.Request) (Tenant, error) {
	s, err := f.Site(r)
	if err != nil {
		return Tenant{}, err
	}
	return s.Tenant(r.Context(), nil)
}

// Addressed is whose a request is by its address alone, a suspended tenant's too.
func (f Front) Addressed(r *http.Request) (Tenant, error) {
	s, err := f.Resolver.Site(r.Context(), Hints{Host: rest.ForwardedHost(r, f.Trusted), PathSlug: pathSlug(r.Context())})
	if err != nil {
		return Tenant{}, err
	}
	return s.EvenSuspended(r.Context(), nil)
}

// Credential is what a request offers as proof, unproved.
type Credential struct{ Bearer, APIKey string }

// CredentialOf reads Authorization (RFC 6750 section 2.1) and X-API-Key. Each may be sent once: of two, a proxy and
// this service might believe different ones.
func CredentialOf(r *http.Request) (c Credential, err error) {
	if auth := r.Header.Values("Authorization"); len(auth) > 1 {
		return c, problem.Invalid("The Authorization header must be sent once.")
	} else if len(auth) == 1 {
		scheme, token, _ := strings.Cut(auth[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return c, problem.BadCredential()
		}
		c.Bearer = strings.TrimLeft(token, " ")
	}
	if keys := r.Header.Values("X-Api-Key"); len(keys) > 1 {
		return c, problem.Invalid("The X-API-Key header must be sent once.")
	} else if len(keys) == 1 {
		if c.APIKey = keys[0]; c.APIKey == "" {
			return c, problem.BadCredential()
		}
	}
	return c, nil
}

type pathSlugKey struct{}

func pathSlug(ctx context.Context) string {
	s, _ := ctx.Value(pathSlugKey{}).(string)
	return s
}

// PathPrefixOf is the prefix that PathPrefix took off the path of a request, to be put before the addresses of an answer;
// empty where it took none, or one that names nobody.
func PathPrefixOf(ctx context.Context) string {
	slug, err := ParseSlug(pathSlug(ctx))
	if err != nil {
		return ""
	}
	return "/t/" + string(slug)
}

// PathPrefix takes the prefix /t/{slug} off the path before routing, and keeps the slug as a hint. Routes are declared
// once and work on a vanity domain and below the prefix alike.
//
// A path has one spelling. No path of ours needs an escape, and one that has some (/v1%2Ftenants) would be this path to
// us and another to a proxy that keeps /v1/tenants from the world: it is unknown.
func PathPrefix(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath != "" {
			rest.Handler(rest.NotFound).ServeHTTP(w, r)
			return
		}
		rest, ok := strings.CutPrefix(r.URL.Path, "/t/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		slug, path, ok := strings.Cut(rest, "/")
		if !ok || slug == "" {
			slug, path = "-", "-" // not a slug, and no path: unknown, like any other that nobody has
		}
		r2 := r.WithContext(context.WithValue(r.Context(), pathSlugKey{}, slug))
		r2.URL = new(url.URL)
		*r2.URL = *r.URL
		r2.URL.Path, r2.URL.RawPath = "/"+path, ""
		next.ServeHTTP(w, r2)
	})
}
