package identity

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Mount adds the administration of API keys.
func (s *APIKeys) Mount(r *mux.Router, g *Guard) {
	const write = "keys:write"
	r.Handle("/v1/api-keys", rest.Methods{
		http.MethodGet:  g.Admin(write, s.list),
		http.MethodPost: g.Admin(write, s.create),
	})
	r.Handle("/v1/api-keys/{id}", rest.Methods{http.MethodDelete: g.Admin(write, s.revoke)})
}

type apiKeyBody struct {
	ID         id.APIKey  `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []Scope    `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	Raw        string     `json:"raw_key,omitempty"` // in the answer to creation alone
}

func renderAPIKey(k APIKey, raw string) apiKeyBody {
	return apiKeyBody{k.ID, k.Name, k.Prefix, k.Scopes, k.CreatedAt, k.ExpiresAt, k.LastUsedAt, raw}
}

type createAPIKeyRequest struct {
	Name      string     `json:"name"`
	Scopes    []Scope    `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// wanted checks the request against the scopes there are and the time it is.
func (c createAPIKeyRequest) wanted(t tenancy.Tenant, now time.Time) (NewAPIKey, error) {
	bad := map[string]string{}
	var n NewAPIKey
	var err error
	if n.Name, err = tenancy.ParseName(c.Name); err != nil {
		bad["name"] = err.Error()
	}
	if n.Scopes, err = parseScopes(c.Scopes, t.Master); err != nil {
		bad["scopes"] = err.Error()
	}
	if c.ExpiresAt != nil {
		e := c.ExpiresAt.UTC().Truncate(time.Microsecond)
		if !e.After(now) {
			bad["expires_at"] = "must be in the future"
		}
		n.ExpiresAt = &e
	}
	if len(bad) > 0 {
		return NewAPIKey{}, problem.Fields(bad)
	}
	return n, nil
}

func (s *APIKeys) create(w http.ResponseWriter, r *http.Request, by Caller) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[createAPIKeyRequest](r)
	if err != nil {
		return err
	}
	n, err := req.wanted(by.Tenant, s.Now())
	if err != nil {
		return err
	}
	op := tenancy.Operation{Name: "POST /v1/api-keys", Key: key, Request: req}
	body, err := s.Create(r.Context(), by, op, n, func(k APIKey, raw string) any { return renderAPIKey(k, raw) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}

func (s *APIKeys) list(w http.ResponseWriter, r *http.Request, by Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, _ := id.ParseAPIKey(page.After)
	keys, err := s.List(r.Context(), by.Tenant, after, page.Fetch())
	if err != nil {
		return err
	}
	bodies := make([]apiKeyBody, len(keys))
	for i, k := range keys {
		bodies[i] = renderAPIKey(k, "")
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(k apiKeyBody) string { return k.ID.String() }))
}

func (s *APIKeys) revoke(w http.ResponseWriter, r *http.Request, by Caller) error {
	k, err := id.ParseAPIKey(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := s.Revoke(r.Context(), by, k); err != nil {
		return err
	}
	return rest.NoContent(w)
}
