package tenancy

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Hints are what a request says about whose it is, apart from its body. Nothing in them is proved: a credential's
// tenant is read before its signature is, and only narrows where it may be tried.
type Hints struct {
	Host       string // the effective Host header
	PathSlug   string // from the prefix /t/{slug}; empty without one
	HeaderID   string // X-Tenant-ID
	Credential []Claimed
}

// Claimed is the tenant that one credential says it belongs to.
type Claimed struct {
	Tenant id.Tenant
	OK     bool // false: the credential is malformed and names nobody

	token bool // one that stands in the body, and is refused as what the operation is about
}

// refused is the answer where the tenant of a request is to come from a credential that names nobody, or a deleted tenant.
func (c Claimed) refused() error {
	if c.token {
		return problem.InvalidToken(problem.KindUnauthenticated)
	}
	return problem.BadCredential()
}

// Site is a request whose host has been recognised: a tenant's own host, or the platform's shared one.
type Site struct {
	anonymous bool
	ofIssuer  bool // slugs that were issuers until a moment ago lead to their tenants, too
	directory *Directory
	hints     Hints
	host      Host
	own       Tenant // zero on the shared host
}

// Resolver decides whose a request is, by the rules of the wire contract: the host first; on the shared host the path
// prefix, then the body's slug, then the credential. Every other hint present must name the same tenant. There is no
// default tenant.
type Resolver struct {
	directory *Directory
	address   Address
}

// NewResolver makes a Resolver.
func NewResolver(d *Directory, a Address) *Resolver { return &Resolver{directory: d, address: a} }

// Site recognises the host of a request. A host nobody has proved is answered like an unknown slug and a deleted
// tenant: 404 not_found.
func (r *Resolver) Site(ctx context.Context, h Hints) (Site, error) {
	host, err := r.address.Host(h.Host)
	if err != nil {
		return Site{}, problem.NotFound()
	}
	s := Site{directory: r.directory, hints: h, host: host}
	if host != r.address.Shared() {
		if s.own, err = r.directory.ByHost(ctx, host); err != nil {
			return Site{}, err
		}
	}
	return s, nil
}

// Anonymous is the site for operations that prove nobody. A credential, which nobody has looked at, must agree and does
// not choose the tenant: else whoever names a tenant in one could put its keys into a shared cache under a bare address.
func (s Site) Anonymous() Site {
	s.anonymous = true
	return s
}

// OfIssuer is the site for discovery and JWKS: a token that names a former issuer is verified with what that issuer says, also
// where the issuer was a slug that the tenant has no more. Everything else of an old slug leads nowhere.
func (s Site) OfIssuer() Site {
	s.ofIssuer = true
	return s
}

// Presenting is the site of a request whose body holds an opaque credential, which names the tenant as one in a header
// would. Where nothing else does and this one cannot, the answer is 401 invalid_token.
func (s Site) Presenting(prefix, token string) Site {
	c := claimedBy(prefix, token)
	c.token = true
	s.hints.Credential = append(slices.Clip(s.hints.Credential), c)
	return s
}

// Shared reports whether the request came to the platform's shared host.
func (s Site) Shared() bool { return s.own.ID.IsZero() }

// Tenant decides whose the request is; bodySlug is the body's tenant_slug, or nil. Errors: 404 not_found, 403
// tenant_mismatch, 403 tenant_suspended, 400 tenant_required.
func (s Site) Tenant(ctx context.Context, bodySlug *string) (Tenant, error) {
	t, err := s.EvenSuspended(ctx, bodySlug)
	if err == nil && t.State == Suspended {
		err = problem.TenantSuspended()
	}
	return t, err
}

// EvenSuspended is Tenant for discovery and JWKS, which a suspended tenant still answers: tokens it issued are
// verified elsewhere until they expire.
func (s Site) EvenSuspended(ctx context.Context, bodySlug *string) (Tenant, error) {
	t, err := s.named(ctx, bodySlug)
	if err != nil {
		return Tenant{}, err
	}
	if !s.agree(t, bodySlug) {
		return Tenant{}, problem.TenantMismatch()
	}
	return t, nil
}

// named is the tenant that the strongest hint names.
func (s Site) named(ctx context.Context, bodySlug *string) (Tenant, error) {
	switch {
	case !s.Shared():
		return s.own, nil
	case s.hints.PathSlug != "":
		return s.bySlug(ctx, s.hints.PathSlug)
	case bodySlug != nil:
		return s.bySlug(ctx, *bodySlug)
	case len(s.hints.Credential) > 0 && !s.anonymous:
		claimed := s.hints.Credential[0]
		if !claimed.OK {
			return Tenant{}, claimed.refused()
		}
		t, err := s.directory.ByID(ctx, claimed.Tenant)
		if errors.Is(err, ErrUnknown) {
			return Tenant{}, claimed.refused() // a deleted tenant's credential is no credential
		}
		return t, err
	default:
		return Tenant{}, problem.TenantRequired()
	}
}

func (s Site) bySlug(ctx context.Context, text string) (Tenant, error) {
	slug, err := ParseSlug(text)
	if err != nil {
		return Tenant{}, problem.NotFound()
	}
	t, err := s.directory.BySlug(ctx, slug)
	if errors.Is(err, ErrUnknown) && s.ofIssuer {
		t, err = s.directory.ByFormerSlug(ctx, slug)
	}
	return t, err
}

// agree holds every hint against the tenant. A credential that names nobody disagrees with nobody; it will be refused
// as a credential.
func (s Site) agree(t Tenant, bodySlug *string) bool {
	if path := Slug(s.hints.PathSlug); path != "" && path != t.Slug && (!s.ofIssuer || !t.wasIssuer(path, s.directory.now())) {
		return false
	}
	if bodySlug != nil && *bodySlug != string(t.Slug) {
		return false
	}
	if s.hints.HeaderID != "" && s.hints.HeaderID != t.ID.String() {
		return false
	}
	for _, c := range s.hints.Credential {
		if c.OK && c.Tenant != t.ID {
			return false
		}
	}
	return true
}

// ByEmailDomain is the tenant that has proved a domain for its people's addresses, for a login on the shared host that
// names no tenant otherwise. Errors: 404 not_found, 403 tenant_suspended.
func ByEmailDomain(ctx context.Context, d *Directory, h Host) (Tenant, error) {
	return serving(d.ByEmailDomain(ctx, h))
}

// ByDomain is the tenant that has proved a domain for either use. Errors: 404 not_found, 403 tenant_suspended.
func ByDomain(ctx context.Context, d *Directory, h Host) (Tenant, error) {
	t, err := d.ByHost(ctx, h)
	if errors.Is(err, ErrUnknown) {
		t, err = d.ByEmailDomain(ctx, h)
	}
	return serving(t, err)
}

func serving(t Tenant, err error) (Tenant, error) {
	if err == nil && t.State == Suspended {
		err = problem.TenantSuspended()
	}
	return t, err
}
