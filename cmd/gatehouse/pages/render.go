package pages

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates
var templateFiles embed.FS

// layouts are what every page is put into, and the parts that several pages share.
var layouts = []string{"templates/layout.html", "templates/parts.html"}

var templates = sync.OnceValue(func() map[string]*template.Template {
	all := map[string]*template.Template{}
	base := template.Must(template.ParseFS(templateFiles, layouts...))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic("pages: templates: " + err.Error()) // they are in the binary
	}
	for _, f := range files {
		name := path.Join("templates", f.Name())
		if !slices.Contains(layouts, name) {
			all[strings.TrimSuffix(f.Name(), ".html")] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, name))
		}
	}
	return all
})

// show answers with a page.
func (v *visit) show(name string, data any) error {
	return v.render(http.StatusOK, name, view{visit: v, Data: data})
}

// again answers with the page of a form that was refused, with what is wrong and all that was typed, for forms that are
// long; see backTo for those that are not. An error that is no refusal stays one.
func (v *visit) again(err error, name string, data any) error {
	e := refused(err)
	if e == nil || e.Status >= http.StatusInternalServerError {
		return err
	}
	if e.Status == http.StatusTooManyRequests {
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	return v.render(e.Status, name, view{visit: v, Data: data, Wrong: v.sentence(e), Blames: e.blames(), Fields: v.fields(e)})
}

// render makes the whole page before the first byte of it is sent.
func (v *visit) render(status int, name string, w view) error {
	if !v.tenant.ID.IsZero() {
		if err := v.hear(&w); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := templates()[name].ExecuteTemplate(&b, "layout", w); err != nil {
		return err
	}
	v.headers()
	v.w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes())
	return nil
}

// headers are those of a page. Referrer-Policy tells no path, which may hold the token of a link, and tells the origin, because
// browsers send no Origin with a form from a page that tells nobody.
func (v *visit) headers() {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Lang())
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+v.Nonce+"'; style-src 'nonce-"+v.Nonce+"'; img-src 'self' data:; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
}
