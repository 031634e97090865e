package identity

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Discovery tells the world how to verify a tenant's tokens: its issuer metadata (RFC 8414) and its public keys. Both
// come from the tenant's schema and need no custody, and a suspended tenant still gives them, because tokens it issued
// are verified elsewhere until they expire.
type Discovery struct {
	Front   tenancy.Front
	Address tenancy.Address
	Keyring *tenancy.Keyring
	Now     func() time.Time
}

// Mount adds discovery and JWKS.
func (d *Discovery) Mount(r *mux.Router) {
	r.Handle("/.well-known/openid-configuration", rest.Methods{http.MethodGet: d.metadata})
	r.Handle("/.well-known/jwks.json", rest.Methods{http.MethodGet: d.jwks})
}

// metadataBody lists no endpoint and no grant that is not there.
type metadataBody struct {
	Issuer        string              `json:"issuer"`
	JWKSURI       string              `json:"jwks_uri"`
	ResponseTypes []string            `json:"response_types_supported"`
	GrantTypes    []string            `json:"grant_types_supported"`
	SubjectTypes  []string            `json:"subject_types_supported"`
	Algorithms    []custody.Algorithm `json:"id_token_signing_alg_values_supported"`
	Claims        []string            `json:"claims_supported"`
}

// cacheable lets verifiers keep an answer for five minutes, the time a new key is published ahead of its first use is
// measured in.
var cacheable = fmt.Sprintf("public, max-age=%d", int(tenancy.JWKSMaxAge/time.Second))

// found is what discovery speaks of: a tenant, where it was asked, and the tenant's keys.
type found struct {
	tenant tenancy.Tenant
	site   tenancy.Site
	keys   *tenancy.Keys
}

func (d *Discovery) find(r *http.Request) (f found, err error) {
	if f.site, err = d.Front.Site(r); err != nil {
		return f, err
	}
	if f.tenant, err = f.site.Anonymous().OfIssuer().EvenSuspended(r.Context(), nil); err != nil {
		return f, err
	}
	f.keys, err = d.Keyring.Of(r.Context(), f.tenant)
	return f, err
}

func (d *Discovery) metadata(w http.ResponseWriter, r *http.Request) error {
	f, err := d.find(r)
	if err != nil {
		return err
	}
	issuer := d.Address.IssuerAt(f.tenant, f.site, d.Now())
	w.Header().Set("Cache-Control", cacheable)
	return rest.Respond(w, http.StatusOK, metadataBody{
		Issuer: issuer, JWKSURI: issuer + "/.well-known/jwks.json", ResponseTypes: []string{}, GrantTypes: []string{},
		SubjectTypes: []string{"public"}, Algorithms: f.keys.Algorithms,
		Claims: []string{"iss", "sub", "aud", "iat", "nbf", "exp", "jti", "sid", "tenant_id", "tenant_slug", "email", "email_verified",
			"name", "roles", "amr", "acr", "auth_time"},
	})
}

func (d *Discovery) jwks(w http.ResponseWriter, r *http.Request) error {
	f, err := d.find(r)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", cacheable)
	return rest.Respond(w, http.StatusOK, f.keys.JWKS)
}
