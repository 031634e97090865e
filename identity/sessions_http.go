package identity

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// Mount adds what signed-in users do with their sessions, and what administrators do with those of others.
func (s *Sessions) Mount(r *mux.Router, g *Guard) {
	r.Handle("/v1/auth/logout", rest.Methods{http.MethodPost: g.User(s.logout)})
	r.Handle("/v1/auth/logout-all", rest.Methods{http.MethodPost: g.User(s.logoutAll)})
	r.Handle("/v1/users/me/sessions", rest.Methods{http.MethodGet: g.User(s.list)})
	r.Handle("/v1/users/me/sessions/{id}", rest.Methods{http.MethodDelete: g.User(s.end)})
	r.Handle("/v1/users/{id}/revoke-sessions", rest.Methods{http.MethodPost: g.Admin("users:write", s.revokeOf)})
}

type sessionBody struct {
	ID         id.Session `json:"id"`
	Device     *string    `json:"device"`  // what the client that signed in calls itself
	Network    *string    `json:"network"` // the address it did so from
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt time.Time  `json:"last_used_at"` // signed in, refreshed or stepped up
	ExpiresAt  time.Time  `json:"expires_at"`
	AuthTime   time.Time  `json:"auth_time"`
	AMR        []string   `json:"amr"`
	ACR        string     `json:"acr"`
	Current    bool       `json:"current"`

	Application *string `json:"application"` // return URL of the application whose session it is; null: none
}

func renderSession(s Session, current id.Session) sessionBody {
	b := sessionBody{ID: s.ID, CreatedAt: s.Created.UTC(), LastUsedAt: s.Refreshed.UTC(), ExpiresAt: earlier(s.Expires, s.RefreshExpires).UTC(),
		AuthTime: s.AuthTime.UTC(), AMR: s.AMR, ACR: s.ACR, Current: s.ID == current}
	if s.Client.UserAgent != "" {
		b.Device = &s.Client.UserAgent
	}
	if s.Application != "" {
		b.Application = &s.Application
	}
	if s.Client.IP.IsValid() {
		text := s.Client.IP.String()
		b.Network = &text
	}
	return b
}

func (s *Sessions) list(w http.ResponseWriter, r *http.Request, by Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String(), by.User.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParseSession)
	if err != nil {
		return err
	}
	sessions, err := s.List(r.Context(), by.Tenant, by.User.ID, by.Session.ID, after, page.Fetch())
	if err != nil {
		return err
	}
	bodies := make([]sessionBody, len(sessions))
	for i, x := range sessions {
		bodies[i] = renderSession(x, by.Session.ID)
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(b sessionBody) string { return b.ID.String() }))
}

func (s *Sessions) end(w http.ResponseWriter, r *http.Request, by Caller) error {
	session, err := id.ParseSession(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	if err := s.End(r.Context(), by, session); err != nil {
		return err
	}
	return rest.NoContent(w)
}

// logout ends the session it is called in. Where another request has just done so, it is done.
func (s *Sessions) logout(w http.ResponseWriter, r *http.Request, by Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	if err := s.End(r.Context(), by, by.Session.ID); err != nil && !problem.Is(err, "not_found") {
		return err
	}
	return rest.NoContent(w)
}

func (s *Sessions) logoutAll(w http.ResponseWriter, r *http.Request, by Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	if err := s.EndAll(r.Context(), by); err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (s *Sessions) revokeOf(w http.ResponseWriter, r *http.Request, by Caller) error {
	if err := rest.NoBody(r); err != nil {
		return err
	}
	u, err := userOf(r)
	if err != nil {
		return err
	}
	if err := s.Revoke(r.Context(), by, u); err != nil {
		return err
	}
	return rest.NoContent(w)
}
