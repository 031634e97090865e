package pages

import (
	"crypto/rand"
	"log/slog"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// visit is one request for a page.
type visit struct {
	p *Pages // not embedded: templates see what is
	w http.ResponseWriter
	r *http.Request

	tenant tenancy.Tenant // zero where the request belongs to nobody we know
	set    settings.Settings
	shared bool   // it came to the shared host
	base   string // "" on a tenant's own host, /t/{slug} on the shared one
	words  *catalogue
	errand errand
	flow   flow
	access string // token of whoever is signed in

	Nonce string // of this answer's scripts and styles (CSP)
}

// visit finds out whose page it is. Even with an error what it returns can be used to say so.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{p: p, w: w, r: r, Nonce: rand.Text(), set: settings.Default()}
	v.base = tenancy.PathPrefixOf(r.Context()) // of what the request says itself nothing comes before an address
	if host, err := p.Address.Host(rest.ForwardedHost(r, p.Front.Trusted)); err == nil {
		v.shared = host == p.Address.Shared()
	}
	err := v.belongs()
	v.makeRoom()
	v.choosesWords()
	if err == nil {
		err = v.checkOrigin()
	}
	if err == nil {
		err = v.readForm()
	}
	if err == nil {
		v.errand, err = v.readErrand()
	}
	if err == nil {
		v.flow, err = v.readFlow()
	}
	return v, err
}

// belongs finds the tenant by the address alone: a credential that comes along is nothing to pages.
func (v *visit) belongs() error {
	t, err := v.p.Front.Addressed(v.r)
	if err == nil && t.State == tenancy.Suspended {
		err = problem.TenantSuspended()
	}
	if err != nil {
		return err
	}
	rest.AddLogAttrs(v.r.Context(), slog.String("tenant", t.ID.String()))
	v.tenant = t
	v.set, err = v.p.Settings.Of(v.r.Context(), t)
	return err
}

// checkOrigin refuses a form that another site's page sends (OWASP CSRF prevention, "Fetch Metadata"). Browsers say where
// a request comes from in Sec-Fetch-Site, and older ones in Origin; of one that says neither nothing is taken.
func (v *visit) checkOrigin() error {
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		return nil
	}
	switch v.r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
		host, err := v.p.Address.Host(rest.ForwardedHost(v.r, v.p.Front.Trusted))
		if err == nil && v.r.Header.Get("Origin") == v.p.Address.Origin(host) {
			return nil
		}
	}
	return &refusal{Status: http.StatusForbidden, Code: "foreign_form", Message: "This form was not sent by a page of this site."}
}

// foreign reports whether another site has the browser ask for this page, or nobody will see it. A page that begins something
// by being shown is shown to whoever came by a page of ours.
func (v *visit) foreign() bool {
	site := v.r.Header.Get("Sec-Fetch-Site")
	return v.r.Method == http.MethodHead || site == "cross-site" || site == "same-site"
}

// redirect answers with another page of ours, on the same errand. The browser asks for it by GET.
func (v *visit) redirect(path string) error {
	v.to(v.URL(path))
	return nil
}

// to answers with an address, which must not come from a request.
func (v *visit) to(address string) {
	v.w.Header().Set("Location", address)
	v.w.WriteHeader(http.StatusSeeOther)
}
