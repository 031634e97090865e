package pages

import (
	"html/template"
	"net/url"
)

// languageLink is a language that the page can be read in.
type languageLink struct {
	Tag, Name, URL string
	Current        bool
}

// Languages are links to the page in each of them; one that answers a form leads to the page of the form.
func (v *visit) Languages() (all []languageLink) {
	q := v.r.URL.Query()
	for _, c := range catalogues() {
		q.Set("ui_locales", c.Tag)
		all = append(all, languageLink{c.Tag, c.text("language.name"), v.base + v.r.URL.Path + "?" + q.Encode(), c == v.words})
	}
	return all
}

// With is URL with one more parameter.
func (v *visit) With(path, name, value string) string {
	q, _ := url.ParseQuery(v.errand.query()) // it is ours
	q.Set(name, value)
	return v.base + path + "?" + q.Encode()
}

// Logo is where the tenant's logo is; empty where it has none.
func (v *visit) Logo() string {
	if v.set.Branding.LogoTag == "" {
		return ""
	}
	return v.base + "/logo?v=" + v.set.Branding.LogoTag
}

// Picture is a data URI that we made.
func (v *visit) Picture(uri string) template.URL { return template.URL(uri) } //nolint:gosec // of a picture that is ours, or was looked at

// AppLink opens an authenticator app on this device (otpauth://); the API made it.
func (v *visit) AppLink(uri string) template.URL { return template.URL(uri) } //nolint:gosec // see above

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
