package identity

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// MountProviders adds the question a sign-in page asks first: how do people of this tenant sign in?
func MountProviders(r *mux.Router, f tenancy.Front, d *tenancy.Directory, s *settings.Store) {
	r.Handle("/v1/auth/providers", rest.Methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		t, err := providersOf(r, f, d)
		if err != nil {
			return err
		}
		set, err := s.Of(r.Context(), t)
		if err != nil {
			return err
		}
		methods := []string{"local"}
		if set.MFA.Offers("webauthn_passkey") {
			methods = append(methods, "passkey")
		}
		return rest.Respond(w, http.StatusOK, providersBody{t.ID, methods})
	}})
}

type providersBody struct {
	Tenant  id.Tenant `json:"tenant_id"`
	Methods []string  `json:"methods"`
}

// providersOf finds the tenant by ?slug=, ?domain= (of a host or of an e-mail address) or the host. On a tenant's own
// host a parameter that names anything else is refused, known or not, so that one tenant's host tells nothing of another.
func providersOf(r *http.Request, f tenancy.Front, d *tenancy.Directory) (tenancy.Tenant, error) {
	site, err := f.Site(r)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	site = site.Anonymous()
	q, err := rest.Query(r)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	var slug *string
	if q.Has("slug") {
		s := q.Get("slug")
		slug = &s
	}
	if !q.Has("domain") {
		return site.Tenant(r.Context(), slug)
	}
	host, err := tenancy.ParseDomain(q.Get("domain"))
	if err != nil {
		return tenancy.Tenant{}, problem.Field("domain", err.Error())
	}
	named, err := tenancy.ByDomain(r.Context(), d, host)
	if err != nil {
		if problem.Is(err, "not_found") && !site.Shared() {
			return tenancy.Tenant{}, problem.TenantMismatch()
		}
		return tenancy.Tenant{}, err
	}
	if slug != nil && *slug != string(named.Slug) {
		return tenancy.Tenant{}, problem.TenantMismatch()
	}
	said := string(named.Slug)
	return site.Tenant(r.Context(), &said)
}
