package tenancy

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/problem"
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
}

// wanted checks the request and makes the record of it.
func (p *Platform) wanted(c createRequest) (Tenant, error) {
	bad := map[string]string{}
	check := func(field string, err error) {
		if err != nil {
			bad[field] = err.Error()
		}
	}
	t := Tenant{Locale: "en", Region: deref(c.Region), Database: deref(c.Database)}
	var err error
	t.Slug, err = ParseNewSlug(c.Slug)
	check("slug", err)
	t.Name, err = ParseName(c.Name)
	check("name", err)
	if c.Locale != nil {
		t.Locale, err = parseLocale(*c.Locale)
		check("locale", err)
	}
	if c.OwnerEmail != nil {
		t.OwnerEmail, err = p.CheckEmail(*c.OwnerEmail)
		check("owner_email", err)
	}
	if c.OwnerName != nil {
		t.OwnerName, err = ParseName(*c.OwnerName)
		check("owner_name", err)
		if c.OwnerEmail == nil {
			bad["owner_email"] = "is required with owner_name"
		}
	}
	if len(bad) > 0 {
		return Tenant{}, problem.Fields(bad)
	}
	return t, nil
}

func (p *Platform) create(w http.ResponseWriter, r *http.Request, by Admitted) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[createRequest](r)
	if err != nil {
		return err
	}
	wanted, err := p.wanted(req)
	if err != nil {
		return err
	}
	op := Operation{Name: "POST /v1/tenants", By: by.Caller, Key: key, Request: req}
	body, err := p.Provisioner.CreateRepeatable(r.Context(), p.Repeat, by.Tenant, op, wanted, func(c Created) any {
		b := renderTenant(c.Tenant)
		b.AdminKey = c.AdminKey
		return b
	})
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}
