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
	CreatedBy  *id.User   `json:"created_by"`
	Raw        string     `json:"raw_key,omitempty"` // in the answer to creation alone
}

func renderAPIKey(k APIKey, raw string) apiKeyBody {
	body := apiKeyBody{k.ID, k.Name, k.Prefix, k.Scopes, k.CreatedAt, k.ExpiresAt, k.LastUsedAt, nil, raw}
	if !k.CreatedBy.IsZero() {
		body.CreatedBy = &k.CreatedBy
	}
	return body
}

type createAPIKeyRequest struct {
	Name      string     `json:"name"`
	Scopes    []Scope    `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"`

	key NewAPIKey
}

// Validate reports bad members. It takes the scopes of every tenant; allowed knows whose the key is to be.
func (c *createAPIKeyRequest) Validate() map[string]string {
	bad := map[string]string{}
	var err error
	if c.key.Name, err = tenancy.ParseName(c.Name); err != nil {
		bad["name"] = err.Error()
	}
	if c.key.Scopes, err = parseScopes(c.Scopes, true); err != nil {
		bad["scopes"] = err.Error()
	}
	if c.ExpiresAt != nil {
		e := c.ExpiresAt.UTC().Truncate(time.Microsecond)
		if !e.After(time.Now()) {
			bad["expires_at"] = "must be in the future"
		}
		if e.Year() > 9000 { // a time that RFC 3339 cannot write in UTC could be stored and never be answered
			bad["expires_at"] = "must be before the year 9000"
		}
		c.key.ExpiresAt = &e
	}
	return bad
}

// allowed refuses scopes that exist in the platform tenant alone.
func (c *createAPIKeyRequest) allowed(t tenancy.Tenant) error {
	if _, err := parseScopes(c.key.Scopes, t.Master); err != nil {
		return problem.Field("scopes", err.Error())
	}
	return nil
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
	if err := req.allowed(by.Tenant); err != nil {
		return err
	}
	op := by.Operation("POST /v1/api-keys", key, req)
	body, err := s.Create(r.Context(), by, op, req.key, func(k APIKey, raw string) any { return renderAPIKey(k, raw) })
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
	after, err := rest.After(page, id.ParseAPIKey)
	if err != nil {
		return err
	}
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
