package tenancy

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

// Platform is what administrators of the platform do with tenants.
type Platform struct {
	Provisioner *Provisioner
	Directory   *Directory
	Repeat      *Repeat
	CheckEmail  func(string) (canonical string, err error) // identity's one rule for addresses
}

// Mount adds the platform's operations on tenants.
func (p *Platform) Mount(r *mux.Router, g Guard) {
	const read, write = "tenants:read", "tenants:write"
	r.Handle("/v1/tenants", rest.Methods{
		http.MethodGet:  g.Platform(read, p.list),
		http.MethodPost: g.Platform(write, p.create),
	})
	r.Handle("/v1/tenants/{id}", rest.Methods{
		http.MethodGet:    g.Platform(read, p.show),
		http.MethodPut:    g.Platform(write, p.update),
		http.MethodDelete: g.Platform(write, p.remove),
	})
	r.Handle("/v1/tenants/{id}/restore", rest.Methods{http.MethodPost: g.Platform(write, p.restore)})
	r.Handle("/v1/tenants/{id}/suspend", rest.Methods{http.MethodPost: g.Platform(write, p.suspend)})
	r.Handle("/v1/tenants/{id}/move", rest.Methods{http.MethodPost: rest.Limits{Time: moveTime}.Apply(g.Platform(write, p.move))})
}

type tenantBody struct {
	ID            id.Tenant `json:"id"`
	Name          string    `json:"name"`
	Slug          Slug      `json:"slug"`
	Locale        string    `json:"locale"`
	OwnerEmail    *string   `json:"owner_email"`
	OwnerID       *id.User  `json:"owner_user_id"`
	Master        bool      `json:"is_master"`
	State         State     `json:"state"`
	Region        string    `json:"region"`
	SchemaVersion int       `json:"schema_version"`
	PrimaryDomain *Host     `json:"primary_domain"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	AdminKey      string    `json:"admin_api_key,omitempty"`
}

func renderTenant(t Tenant) tenantBody {
	return tenantBody{ID: t.ID, Name: t.Name, Slug: t.Slug, Locale: t.Locale, OwnerEmail: optional(t.OwnerEmail), OwnerID: optional(t.OwnerID),
		Master: t.Master, State: t.State, Region: t.Region, SchemaVersion: t.SchemaVersion, PrimaryDomain: optional(t.PrimaryDomain),
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}
}

func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func (p *Platform) list(w http.ResponseWriter, r *http.Request, by Admitted) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParseTenant)
	if err != nil {
		return err
	}
	tenants, err := p.Directory.List(r.Context(), after, page.Fetch())
	if err != nil {
		return err
	}
	bodies := make([]tenantBody, len(tenants))
	for i, t := range tenants {
		bodies[i] = renderTenant(t)
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(b tenantBody) string { return b.ID.String() }))
}

func (p *Platform) show(w http.ResponseWriter, r *http.Request, _ Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	return p.respond(w, r, tid)
}

// respond answers with the tenant as it is in the directory and not in this replica's memory, which may be some
// milliseconds behind the change just made.
func (p *Platform) respond(w http.ResponseWriter, r *http.Request, tid id.Tenant) error {
	p.Directory.Forget(tid) // and this replica must not be behind for the one who was just told
	t, err := p.Directory.Read(r.Context(), tid)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderTenant(t))
}

type updateRequest struct {
	Slug   strictjson.Optional[string] `json:"slug"`
	Name   strictjson.Optional[string] `json:"name"`
	Locale strictjson.Optional[string] `json:"locale"`
}

func (p *Platform) update(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	req, err := rest.Decode[updateRequest](r)
	if err != nil {
		return err
	}
	was, err := p.Directory.Read(r.Context(), tid)
	if err != nil {
		return err
	}
	c, err := req.change(was)
	if err != nil {
		return err
	}
	c.By = by.Actor
	if err := p.Provisioner.Update(r.Context(), tid, c); err != nil {
		return err
	}
	return p.respond(w, r, tid)
}

func (u updateRequest) change(was Tenant) (c Change, err error) {
	bad := map[string]string{}
	if u.Slug.Set && u.Slug.Value != string(was.Slug) {
		slug, err := ParseNewSlug(u.Slug.Value)
		if err != nil {
			bad["slug"] = err.Error()
		}
		c.Slug = &slug
	}
	if u.Name.Set {
		name, err := ParseName(u.Name.Value)
		if err != nil {
			bad["name"] = err.Error()
		}
		c.Name = &name
	}
	if u.Locale.Set {
		locale, err := ParseLocale(u.Locale.Value)
		if err != nil {
			bad["locale"] = err.Error()
		}
		c.Locale = &locale
	}
	if len(bad) > 0 {
		return Change{}, problem.Fields(bad)
	}
	return c, nil
}

type suspendRequest struct {
	Active *bool `json:"active"`
}

// Validate reports bad members: without active nobody knows which way.
func (s *suspendRequest) Validate() map[string]string {
	if s.Active == nil {
		return map[string]string{"active": "is required"}
	}
	return nil
}

func (p *Platform) suspend(w http.ResponseWriter, r *http.Request, by Admitted) error {
	tid, err := id.ParseTenant(mux.Vars(r)["id"])
	if err != nil {
		return problem.NotFound()
	}
	req, err := rest.Decode[suspendRequest](r)
	if err != nil {
		return err
	}
	suspended := !*req.Active
	if err := p.Provisioner.Update(r.Context(), tid, Change{By: by.Actor, Suspended: &suspended}); err != nil {
		return err
	}
	return p.respond(w, r, tid)
}
