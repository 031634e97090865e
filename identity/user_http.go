package identity

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Mount adds the administration of users, and what users do about their own password.
func (s *Users) Mount(r *mux.Router, g *Guard) {
	const read, write = "users:read", "users:write"
	r.Handle("/v1/users", rest.Methods{
		http.MethodGet:  g.Admin(read, s.list),
		http.MethodPost: g.Admin(write, s.create),
	})
	r.Handle("/v1/users/{id}", rest.Methods{
		http.MethodGet:    g.Admin(read, s.show),
		http.MethodPut:    g.Admin(write, s.update),
		http.MethodDelete: g.Admin(write, s.remove),
	})
	r.Handle("/v1/users/me/password", rest.Methods{http.MethodPost: g.User(s.changePassword)})
	r.Handle("/v1/users/{id}/suspend", rest.Methods{http.MethodPost: g.Admin(write, s.suspend)})
}

type userBody struct {
	ID            id.User   `json:"id"`
	Email         Email     `json:"email"`
	Name          string    `json:"name"`
	Roles         []Role    `json:"roles"`
	AuthProvider  Provider  `json:"auth_provider"`
	Active        bool      `json:"active"`
	EmailVerified bool      `json:"email_verified"`
	Owner         bool      `json:"is_owner"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	Avatar        *string   `json:"avatar_base64"`
}

func renderUser(u User) userBody {
	return userBody{u.ID, u.Email, u.Name, u.Roles, u.AuthProvider, u.Active, u.EmailVerified, u.Owner, u.CreatedAt, u.UpdatedAt, u.Avatar}
}

type createUserRequest struct {
	Email         string  `json:"email"`
	Name          string  `json:"name"`
	Roles         []Role  `json:"roles"`
	Password      *string `json:"password"`
	EmailVerified *bool   `json:"email_verified"`

	user NewUser
}

// Validate reports bad members.
func (c *createUserRequest) Validate() map[string]string {
	bad := map[string]string{}
	check := func(field string, err error) {
		if err != nil {
			bad[field] = err.Error()
		}
	}
	u := &c.user
	var err error
	u.Email, err = ParseEmail(c.Email)
	check("email", err)
	u.Name, err = tenancy.ParseName(c.Name)
	check("name", err)
	u.Roles = []Role{RoleUser}
	if c.Roles != nil {
		u.Roles, err = parseRoles(c.Roles)
		check("roles", err)
	}
	if c.Password != nil {
		u.Password, err = password.Parse(*c.Password)
		check("password", err)
	}
	u.EmailVerified = c.EmailVerified != nil && *c.EmailVerified
	return bad
}

func (s *Users) create(w http.ResponseWriter, r *http.Request, by Caller) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[createUserRequest](r)
	if err != nil {
		return err
	}
	// A person who could vouch for an address would make accounts for addresses of others.
	if req.EmailVerified != nil && by.Key == nil {
		return problem.Field("email_verified", "can be set with an API key only")
	}
	op := by.Operation("POST /v1/users", key, req)
	body, err := s.Create(r.Context(), by, op, req.user, func(u User) any { return renderUser(u) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}

func (s *Users) list(w http.ResponseWriter, r *http.Request, by Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParseUser)
	if err != nil {
		return err
	}
	q, err := rest.Query(r)
	if err != nil {
		return err
	}
	var email Email
	if text := q.Get("email"); text != "" {
		if email, err = ParseEmail(text); err != nil {
			return problem.Field("email", err.Error())
		}
	}
	query := q.Get("q")
	if len(query) > 200 || strings.ContainsRune(query, 0) || strings.ToValidUTF8(query, "") != query {
		return problem.Field("q", "must be text of at most 200 bytes")
	}
	users, whole, err := s.List(r.Context(), by.Tenant, after, page.Fetch(), email, query)
	if err != nil {
		return err
	}
	page.Limit = min(page.Limit, max(1, whole)) // the page ends early, and another follows
	bodies := make([]userBody, len(users))
	for i, u := range users {
		bodies[i] = renderUser(u)
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(u userBody) string { return u.ID.String() }))
}

// userOf is the user a path names. What is not an id is answered like an id nobody has.
func userOf(r *http.Request) (id.User, error) {
	u, err := id.ParseUser(mux.Vars(r)["id"])
	if err != nil {
		return u, problem.NotFound()
	}
	return u, nil
}

func (s *Users) show(w http.ResponseWriter, r *http.Request, by Caller) error {
	u, err := userOf(r)
	if err != nil {
		return err
	}
	found, err := s.Show(r.Context(), by.Tenant, u)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderUser(found))
}

type updateUserRequest struct {
	Name   strictjson.Optional[string] `json:"name"`
	Roles  strictjson.Optional[[]Role] `json:"roles"`
	Active strictjson.Optional[bool]   `json:"active"`

	change UserChange
}

// Validate reports bad members; a member that is absent leaves things as they are.
func (u *updateUserRequest) Validate() map[string]string {
	bad := map[string]string{}
	if u.Name.Set {
		name, err := tenancy.ParseName(u.Name.Value)
		if err != nil {
			bad["name"] = err.Error()
		}
		u.change.Name = &name
	}
	if u.Roles.Set {
		roles, err := parseRoles(u.Roles.Value)
		if err != nil || u.Roles.Null {
			bad["roles"] = errRoles.Error()
		}
		u.change.Roles = roles
	}
	if u.Active.Null {
		bad["active"] = "must be true or false"
	}
	u.change.Active = u.Active.Ptr()
	return bad
}

func (s *Users) update(w http.ResponseWriter, r *http.Request, by Caller) error {
	u, err := userOf(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[updateUserRequest](r)
	if err != nil {
		return err
	}
	return s.change(w, r, by, u, req.change)
}

func (s *Users) change(w http.ResponseWriter, r *http.Request, by Caller, u id.User, c UserChange) error {
	changed, err := s.Update(r.Context(), by, u, c)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderUser(changed))
}

type suspendUserRequest struct {
	Active *bool `json:"active"`
}

// Validate reports bad members: without active nobody knows which way.
func (s *suspendUserRequest) Validate() map[string]string {
	if s.Active == nil {
		return map[string]string{"active": "is required"}
	}
	return nil
}

func (s *Users) suspend(w http.ResponseWriter, r *http.Request, by Caller) error {
	u, err := userOf(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[suspendUserRequest](r)
	if err != nil {
		return err
	}
	return s.change(w, r, by, u, UserChange{Active: req.Active})
}

func (s *Users) remove(w http.ResponseWriter, r *http.Request, by Caller) error {
	u, err := userOf(r)
	if err != nil {
		return err
	}
	if err := s.Delete(r.Context(), by, u); err != nil {
		return err
	}
	return rest.NoContent(w)
}
