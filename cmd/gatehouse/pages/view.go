package pages

import (
	"html/template"
	"net/url"
	"strings"
)

// view is what a template gets: what was found for this page, what is to be said at its top, and the exported methods of
// the visit.
type view struct {
	*visit

	Data   any               // of this page
	Done   string            // what was done, said at the top
	Wrong  string            // what went wrong, said at the top
	Blames string            // the field that Wrong is about
	Fields map[string]string // what is wrong with fields of the form, by their names
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

// With is URL with one more parameter.
func (v *visit) With(path, name, value string) string {
	q, _ := url.ParseQuery(v.errand.query()) // it is ours
	q.Set(name, value)
	return v.base + path + "?" + q.Encode()
}

// Name is what the tenant is called.
func (v *visit) Name() string {
	if v.tenant.ID.IsZero() {
		return "gatehouse"
	}
	return v.set.DisplayName(v.tenant)
}

// Theme is the tenant's colours.
func (v *visit) Theme() template.CSS { return theme(v.set.Branding) }

// Logo is where the tenant's logo is; empty where it has none.
func (v *visit) Logo() string {
	if v.set.Branding.LogoTag == "" {
		return ""
	}
	return v.base + "/logo?v=" + v.set.Branding.LogoTag
}

// Lang is the language of the page (BCP 47).
func (v *visit) Lang() string { return v.words.Tag }

// Dir is the direction the language is written in.
func (v *visit) Dir() string { return v.words.dir() }

// T is a text of the catalogue; args are names and values of what stands in braces in it.
func (v *visit) T(key string, args ...any) string { return v.words.text(key, args...) }

// Action says what an action of the audit log is, in the language of the page.
func (v *visit) Action(name string) string {
	if key := "action." + name; v.words.has(key) {
		return v.T(key)
	}
	return name
}

// Me is who is signed in.
func (v *visit) Me() claims { return claimsOf(v.access) }

// Picture is a picture as a data URI: one that we made, that the API has, or that whoever sees the page has just sent.
func (v *visit) Picture(uri string) template.URL {
	if !strings.HasPrefix(uri, "data:image/") {
		return ""
	}
	return template.URL(uri) //nolint:gosec // a picture runs nothing
}

// AppLink opens an authenticator app on this device (otpauth://); the API made it.
func (v *visit) AppLink(uri string) template.URL { return template.URL(uri) } //nolint:gosec // see above

// languageLink is a language that the page can be read in.
type languageLink struct {
	Tag, Name, URL string
	Current        bool
}

// Languages are links to the page in each of them.
func (v *visit) Languages() (all []languageLink) {
	q := v.r.URL.Query()
	q.Del("verify") // which is work, and was done
	path := v.r.URL.Path
	if strings.HasPrefix(path, "//") { // of a page that is not there, and would be another host
		path = "/"
	}
	for _, c := range catalogues() {
		q.Set("ui_locales", c.Tag)
		all = append(all, languageLink{c.Tag, c.text("language.name"), v.base + path + "?" + q.Encode(), c == v.words})
	}
	return all
}

// tabLink is a page beside this one.
type tabLink struct {
	Name, URL string
	Current   bool
}

// Tabs are links to pages beside this one; their names are in the catalogue.
func (v *visit) Tabs(paths ...string) (all []tabLink) {
	for _, p := range paths {
		all = append(all, tabLink{v.T("tab." + p), v.Page(p), p == v.r.URL.Path})
	}
	return all
}

// Further is where the next page of a list is.
func (v *visit) Further(cursor string) string {
	q := v.r.URL.Query()
	q.Del("verify")
	q.Set("cursor", cursor)
	return v.base + v.r.URL.Path + "?" + q.Encode()
}
