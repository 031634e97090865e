package pages

import (
	"crypto/rand"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// visit is one request for a page. Its exported methods and fields are what templates see.
type visit struct {
	*Pages
	w http.ResponseWriter
	r *http.Request

	tenant tenancy.Tenant // zero where the request belongs to nobody we know
	set    settings.Settings
	base   string // "" on a tenant's own host, /t/{slug} on the shared one
	words  *catalogue
	errand errand
	flow   flow
	access string // token of whoever is signed in

	Nonce string // of this answer's scripts and styles (CSP)
}

// visit finds out whose page it is. Even with an error what it returns can be used to say so.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{Pages: p, w: w, r: r, Nonce: rand.Text(), set: settings.Default()}
	v.base = strings.TrimSuffix(strings.TrimSuffix(requestPath(r), r.URL.Path), "/")
	t, err := p.Front.Addressed(r)
	if err == nil && t.State == tenancy.Suspended {
		err = problem.TenantSuspended()
	}
	if err != nil {
		v.choosesWords()
		return v, err
	}
	rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
	v.tenant = t
	if v.set, err = p.Settings.Of(r.Context(), t); err != nil {
		v.choosesWords()
		return v, err
	}
	v.choosesWords()
	if err := v.checkOrigin(); err != nil {
		return v, err
	}
	if v.errand, err = v.readErrand(); err != nil {
		return v, err
	}
	v.flow, err = v.readFlow()
	return v, err
}

// requestPath is the path as the browser asked for it, with the prefix that was taken off for routing.
func requestPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
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
		host, err := v.Address.Host(rest.ForwardedHost(v.r, v.Front.Trusted))
		if err == nil && v.r.Header.Get("Origin") == v.Address.Origin(host) {
			return nil
		}
	}
	return &refusal{Status: http.StatusForbidden, Code: "foreign_form", Message: "This form was not sent by a page of this site."}
}

// form is a value of the form that was sent.
func (v *visit) form(name string) string { return v.r.PostFormValue(name) }

// redirect answers with another page of ours. The browser asks for it by GET.
func (v *visit) redirect(path string) error {
	v.to(v.URL(path))
	return nil
}

// to answers with an address, which must not come from a request.
func (v *visit) to(address string) {
	v.w.Header().Set("Location", address)
	v.w.WriteHeader(http.StatusSeeOther)
}

// URL is where a page of ours is, with the errand that the browser is on.
func (v *visit) URL(path string) string {
	if q := v.errand.query(); q != "" {
		return v.base + path + "?" + q
	}
	return v.base + path
}

// Page is where a page is that no errand leads to.
func (v *visit) Page(path string) string { return v.base + path }

// Name is what the tenant is called.
func (v *visit) Name() string {
	if v.tenant.ID.IsZero() {
		return "gatehouse"
	}
	return v.set.DisplayName(v.tenant)
}

// Theme is the tenant's colours.
func (v *visit) Theme() template.CSS { return theme(v.set.Branding) }

// Lang is the language of the page (BCP 47), Dir the direction it is written in.
func (v *visit) Lang() string { return v.words.Tag }

// Dir is the direction the language is written in.
func (v *visit) Dir() string { return v.words.dir() }

// T is a text of the catalogue; args are names and values of what stands in braces in it.
func (v *visit) T(key string, args ...any) string { return v.words.text(key, args...) }
