package pages

import (
	"net/http"
	"time"
)

// tenantPage is a tenant, and the form that changes it.
type tenantPage struct {
	tenantRow

	Form  struct{ Name, Slug, Locale string }
	After *time.Time // when it will be deleted, of one that will
}

func (v *visit) tenantPage() (p tenantPage, err error) {
	if p.tenantRow, err = v.governed(); err != nil {
		return p, err
	}
	p.Form.Name, p.Form.Slug, p.Form.Locale = p.Name, p.Slug, p.Locale
	if p.State == "deleting" {
		p.After, err = v.deletedAfter()
	}
	return p, err
}

// deletedAfter is when a tenant will be deleted. Where what it has cannot be counted nobody says so; the page is good for
// restoring it all the same.
func (v *visit) deletedAfter() (*time.Time, error) {
	d, err := v.previewDeletion()
	if e := refused(err); e != nil && e.Status >= http.StatusInternalServerError {
		return nil, nil
	}
	return d.After, err
}

func (v *visit) showTenant() error {
	page, err := v.tenantPage()
	if err != nil {
		return err
	}
	return v.show("platform-tenant", page)
}

// changeTenant changes what the form has. The platform tenant's has no slug.
func (v *visit) changeTenant() error {
	page, err := v.tenantPage()
	if err != nil {
		return err
	}
	page.Form.Name, page.Form.Slug, page.Form.Locale = v.form("name"), v.form("slug"), v.form("locale")
	wanted := map[string]string{"name": page.Form.Name, "locale": page.Form.Locale}
	if !page.Master {
		wanted["slug"] = page.Form.Slug
	}
	if err := v.call(http.MethodPut, v.named(""), wanted, nil); err != nil {
		return v.retry(err, "platform-tenant", page)
	}
	return v.done(v.besides(""), "done.saved")
}

func (v *visit) askSuspension() error {
	t, err := v.governed()
	if err != nil {
		return err
	}
	return v.show("platform-suspend", t)
}

func (v *visit) suspendTenant() error { return v.setActive(false, "platform.done.suspended") }

func (v *visit) resumeTenant() error { return v.setActive(true, "platform.done.resumed") }

func (v *visit) setActive(active bool, said string) error {
	return v.afterwards(v.call(http.MethodPost, v.named("/suspend"), map[string]bool{"active": active}, nil), "", said)
}

func (v *visit) restoreTenant() error {
	return v.afterwards(v.call(http.MethodPost, v.named("/restore"), nil, nil), "", "platform.done.restored")
}

// afterwards leads to a page of the tenant, which says what was done, or why it was not.
func (v *visit) afterwards(err error, page, said string) error {
	switch {
	case refused(err, "reauthentication_required", "forbidden", "policy_denied", "not_found") != nil:
		return err // that page could not be shown either
	case err != nil:
		return v.backTo(v.Page(v.besides(page)), err)
	}
	return v.done(v.besides(page), said)
}
