package pages

import (
	"net/http"
	"strings"
)

// newTenantPage is the form of a tenant to be.
type newTenantPage struct {
	Name, Slug, OwnerEmail, OwnerName, Locale, Database string

	Databases []fleetDatabase // that take tenants
}

func (v *visit) newTenantPage() (p newTenantPage, err error) {
	f, err := v.fleet()
	for _, d := range f.Databases {
		if d.takes() {
			p.Databases = append(p.Databases, d)
		}
	}
	return p, err
}

func (v *visit) askTenant() error {
	page, err := v.newTenantPage()
	if err != nil {
		return err
	}
	return v.show("platform-create", page)
}

// createTenant makes one. What the form leaves empty is unsaid.
func (v *visit) createTenant() error {
	page, err := v.newTenantPage()
	if err != nil {
		return err
	}
	page.Name, page.Slug, page.Locale, page.Database = v.form("name"), v.form("slug"), v.form("locale"), v.form("database")
	page.OwnerEmail, page.OwnerName = v.form("owner_email"), v.form("owner_name")
	if _, err := v.aead(); err != nil { // a key that could not be shown would be lost
		return err
	}
	var made tenantRow
	err = v.call(http.MethodPost, "/v1/tenants", map[string]any{"name": page.Name, "slug": page.Slug, "locale": orNull(page.Locale),
		"owner_email": orNull(page.OwnerEmail), "owner_name": orNull(page.OwnerName), "database": orNull(page.Database)}, &made)
	if err != nil {
		return v.retry(err, "platform-create", page)
	}
	if err := v.keepSecret(flow{AdminKey: made.ID + " " + made.AdminKey}); err != nil {
		return err
	}
	return v.done(made.At("/admin-key"), "platform.done.created")
}

// adminKeyPage shows the key that administers a tenant.
type adminKeyPage struct {
	tenantRow
	Key string
}

// adminKey shows the key of the tenant that was just made, until it is told that somebody has it.
func (v *visit) adminKey() error {
	t, err := v.governed()
	if err != nil {
		return err
	}
	of, key, _ := strings.Cut(v.flow.AdminKey, " ")
	if of != t.ID || key == "" {
		return v.toTenant()
	}
	return v.show("platform-admin-key", adminKeyPage{t, key})
}

func (v *visit) forgetAdminKey() error {
	v.drop()
	return v.toTenant()
}
