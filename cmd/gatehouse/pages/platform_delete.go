package pages

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// deletion is what is known of a tenant's end, past, to come or only imagined.
type deletion struct {
	Tenant    string     `json:"tenant_id"`
	Slug      string     `json:"slug"`
	State     string     `json:"state"`
	After     *time.Time `json:"delete_after"`
	DeletedAt *time.Time `json:"deleted_at"`
	Inventory *inventory `json:"inventory"`
	Receipt   *string    `json:"receipt"`
}

// inventory is what there is of a tenant, or was.
type inventory struct {
	Region   string           `json:"region"`
	Database string           `json:"database"`
	Schema   string           `json:"schema"`
	Role     string           `json:"role"`
	Domains  []string         `json:"domains"`
	Rows     map[string]int64 `json:"rows"`
	Keys     []struct {
		Purpose   string `json:"purpose"`
		Version   int    `json:"version"`
		Algorithm string `json:"algorithm"`
	} `json:"keys"`
}

// deletionPage is the form that deletes a tenant.
type deletionPage struct {
	deletion

	Days string // of grace, as it was typed
}

// At is where a page of the tenant is.
func (d deletion) At(page string) string { return tenantRow{ID: d.Tenant}.At(page) }

// defaultGrace is days: enough for somebody to notice.
const defaultGrace = "30"

// endTenant deletes the tenant that the address names, as the parameters want it.
func (v *visit) endTenant(how url.Values) (d deletion, err error) {
	err = v.perform(rest.Inner{Method: http.MethodDelete, Path: v.named(""), Query: how}, nil, &d)
	return d, err
}

// previewDeletion changes nothing. Of a tenant that was deleted it is its deletion, with the receipt.
func (v *visit) previewDeletion() (deletion, error) {
	return v.endTenant(url.Values{"dry_run": {"true"}})
}

func (v *visit) askDeletion() error {
	d, err := v.previewDeletion()
	switch {
	case refused(err, "platform_protected") != nil:
		return v.afterwards(err, "", "")
	case err != nil:
		return err
	case d.State == "deleted":
		v.to(v.Page(d.At("/receipt")))
		return nil
	}
	return v.show("platform-delete", deletionPage{d, d.grace()})
}

// grace is what the form offers: for a tenant whose end was put off already only to end it now, because its time stays.
func (d deletion) grace() string {
	if d.State == "deleting" {
		return "0"
	}
	return defaultGrace
}

// deleteTenant deletes a tenant whose slug was typed, now or when the days of grace have passed.
func (v *visit) deleteTenant() error {
	d, err := v.previewDeletion()
	if err != nil {
		return err
	}
	page := deletionPage{d, v.form("grace_days")}
	if strings.TrimSpace(v.form("confirmation")) != d.Slug {
		return v.again(&refusal{Status: http.StatusBadRequest, Code: "other_slug"}, "platform-delete", page)
	}
	d, err = v.endTenant(url.Values{"grace_days": {page.Days}})
	if err != nil {
		return v.retry(err, "platform-delete", page)
	}
	if d.State == "deleting" {
		return v.done(d.At(""), "platform.done.condemned")
	}
	return v.done(d.At("/receipt"), "platform.done.deleted")
}

// receipt shows the receipt of a tenant that was deleted; others have their own page.
func (v *visit) receipt() error {
	d, err := v.previewDeletion()
	if err != nil {
		return err
	}
	if d.State != "deleted" {
		return v.toTenant()
	}
	return v.show("platform-receipt", d)
}

// downloadReceipt gives the receipt as the file that gatehouse tenant receipt verify reads.
func (v *visit) downloadReceipt() error {
	d, err := v.previewDeletion()
	if err != nil {
		return err
	}
	if d.Receipt == nil {
		return notFound()
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/jose")
	h.Set("Content-Disposition", `attachment; filename="receipt-`+d.Slug+`.jws"`)
	_, _ = v.w.Write([]byte(*d.Receipt + "\n"))
	return nil
}
