package pages

import (
	"time"

	"github.com/gorilla/mux"
)

// The platform console is for administrators of the platform tenant. That a page is shown means that the API answered for it, so
// every page asks it something.

// tenantPath is where the pages of one tenant are. Its id can be gone on to after a sign-in, as a query could not.
const tenantPath = "/platform/tenant/{id:[0-9a-f-]{36}}"

// mountPlatform adds the console. Every page can be opened by GET: whoever has to sign in for a form comes back that way.
func (p *Pages) mountPlatform(at func(string, on)) {
	at("/platform", on{get: governs((*visit).tenants)})
	at("/platform/create", on{get: governs((*visit).askTenant), post: governs((*visit).createTenant)})
	at("/platform/health", on{get: governs((*visit).fleetHealth)})
	at(tenantPath, on{get: governs((*visit).showTenant), post: governs((*visit).changeTenant)})
	at(tenantPath+"/admin-key", on{get: governs((*visit).adminKey), post: governs((*visit).forgetAdminKey)})
	at(tenantPath+"/suspend", on{get: governs((*visit).askSuspension), post: governs((*visit).suspendTenant)})
	at(tenantPath+"/move", on{get: governs((*visit).askMove), post: governs((*visit).moveTenant), time: moveTime})
	at(tenantPath+"/resume", on{get: governs((*visit).toTenant), post: governs((*visit).resumeTenant)})
	at(tenantPath+"/delete", on{get: governs((*visit).askDeletion), post: governs((*visit).deleteTenant)})
	at(tenantPath+"/restore", on{get: governs((*visit).toTenant), post: governs((*visit).restoreTenant)})
	at(tenantPath+"/receipt", on{get: governs((*visit).receipt)})
	at(tenantPath+"/receipt/file", on{get: governs((*visit).downloadReceipt)})
	at(tenantPath+"/keys", on{get: governs((*visit).signingKeys), post: governs((*visit).rotateSigningKey)})
	at(tenantPath+"/keys/revoke", on{get: governs((*visit).askRevocation), post: governs((*visit).revokeSigningKey)})
}

// governs is a page of the console: there is none at other tenants, and whoever has to prove again who they are comes back to it.
func governs(h func(*visit) error) func(*visit) error {
	admitted := needs(func(v *visit) error {
		err := h(v)
		if refused(err, "reauthentication_required") != nil {
			return v.reauthenticate(v.r.URL.Path)
		}
		return err
	})
	return func(v *visit) error {
		if !v.tenant.Master {
			return notFound()
		}
		return admitted(v)
	}
}

// Governs reports whether to show the way to the platform console; what may be done there is for the API to say.
func (v *visit) Governs() bool { return v.tenant.Master && v.Me().Administers() }

// retry is again, but for whoever has to prove again who they are: governs leads them to that.
func (v *visit) retry(err error, name string, data any) error {
	if refused(err, "reauthentication_required") != nil {
		return err
	}
	return v.again(err, name, data)
}

// tenantRow is a tenant as the API tells it.
type tenantRow struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Slug          string    `json:"slug"`
	Locale        string    `json:"locale"`
	OwnerEmail    *string   `json:"owner_email"`
	OwnerID       *string   `json:"owner_user_id"`
	Master        bool      `json:"is_master"`
	State         string    `json:"state"`
	Region        string    `json:"region"`
	SchemaVersion int       `json:"schema_version"`
	PrimaryDomain *string   `json:"primary_domain"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	AdminKey      string    `json:"admin_api_key"` // of one that was just made
}

// At is where a page of the tenant is.
func (t tenantRow) At(page string) string { return "/platform/tenant/" + t.ID + page }

func (v *visit) tenants() error {
	page, err := list[tenantRow](v, "/v1/tenants", nil)
	if err != nil {
		return err
	}
	return v.show("platform", page)
}

// named is the id of the tenant that the address names, and a path of the API below it.
func (v *visit) named(below string) string { return "/v1/tenants/" + mux.Vars(v.r)["id"] + below }

// besides is a page of the tenant that the address names.
func (v *visit) besides(page string) string { return tenantRow{ID: mux.Vars(v.r)["id"]}.At(page) }

// governed is the tenant that the address names.
func (v *visit) governed() (t tenantRow, err error) {
	err = v.get(v.named(""), nil, &t)
	return t, err
}

// toTenant leads to the tenant's page.
func (v *visit) toTenant() error {
	v.to(v.Page(v.besides("")))
	return nil
}

const day = 24 * time.Hour

// Age says how long ago something was.
func (v *visit) Age(since time.Time) string {
	d := v.p.Now().Sub(since)
	if d < day {
		return v.duration(d)
	}
	return v.T("time.days", "n", int(d/day))
}
