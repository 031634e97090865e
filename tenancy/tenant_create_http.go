package tenancy

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

type createRequest struct {
	Name       string  `json:"name"`
	Slug       string  `json:"slug"`
	OwnerEmail *string `json:"owner_email"`
	OwnerName  *string `json:"owner_name"`
	Locale     *string `json:"locale"`
	Region     *string `json:"region"`
	Database   *string `json:"database"`

	by     *Platform // knows the rules for addresses and places
	wanted Tenant
}

// Validate reports bad members and makes the record of the good ones.
func (c *createRequest) Validate() map[string]string {
	t := Tenant{Locale: "en", Region: deref(c.Region), Database: deref(c.Database)}
	bad := c.by.Provisioner.misplaced(t.Database, t.Region)
	check := func(field string, err error) {
		if err != nil {
			bad[field] = err.Error()
		}
	}
	var err error
	t.Slug, err = ParseNewSlug(c.Slug)
	check("slug", err)
	t.Name, err = ParseName(c.Name)
	check("name", err)
	if c.Locale != nil {
		t.Locale, err = ParseLocale(*c.Locale)
		check("locale", err)
	}
	if c.OwnerEmail != nil {
		t.OwnerEmail, err = c.by.CheckEmail(*c.OwnerEmail)
		check("owner_email", err)
	}
	if c.OwnerName != nil {
		t.OwnerName, err = ParseName(*c.OwnerName)
		check("owner_name", err)
		if c.OwnerEmail == nil {
			bad["owner_email"] = "is required with owner_name"
		}
	}
	c.wanted = t
	return bad
}

func (p *Platform) create(w http.ResponseWriter, r *http.Request, by Admitted) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req := createRequest{by: p}
	if err := rest.DecodeInto(r, &req); err != nil {
		return err
	}
	op := Operation{Name: "POST /v1/tenants", By: by.Caller, Actor: by.Actor, Key: key, Request: req}
	body, err := p.Provisioner.CreateRepeatable(r.Context(), p.Repeat, by.Tenant, op, req.wanted, func(c Created) any {
		b := renderTenant(c.Tenant)
		b.AdminKey = c.AdminKey
		return b
	})
	if err != nil {
		return err
	}
	p.Directory.Forget(id.Tenant{}) // its names led nowhere so far, and its maker may use them at once
	return rest.Respond(w, http.StatusCreated, body)
}
