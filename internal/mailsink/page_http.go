package mailsink

import (
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Handler shows the mails: to scripts as JSON, oldest first, to a browser as a page, newest first. ?to= chooses an address.
//
// Mails hold links that sign people in, so a page of somebody else's must not read them by a name that it lets point to
// this machine: only names of the machine itself are answered.
func (s *Sink) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ofThisMachine(r.Host) {
			http.Error(w, "this page is for this machine only", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet || r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		mails := s.Mails(r.URL.Query().Get("to"))
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.Set("Content-Type", "application/json; charset=utf-8")
			_ = json.NewEncoder(w).Encode(mails)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'")
		slices.Reverse(mails)
		_ = page.Execute(w, mails)
	})
}

func ofThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// The HTML of a mail is shown in a frame that may run nothing. Its links open beside the page: the site they lead to would not
// let itself be shown in a frame. The page is not reloaded by itself, which would close the mail somebody reads.
var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mails</title>
<style>body{font-family:sans-serif;max-width:60em;margin:1em auto;padding:0 1em}iframe{width:100%;height:24em;border:1px solid #ccc}
pre{white-space:pre-wrap}summary{padding:.4em 0;cursor:pointer}</style></head><body>
<h1>Mails</h1>
<p><a href="">Look again</a></p>
{{range .}}<details><summary>{{.At.Format "15:04:05"}} <b>{{.To}}</b> {{.Subject}}</summary>
<pre>{{.Text}}</pre>{{if .HTML}}<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="&lt;base target=_blank&gt;{{.HTML}}"></iframe>{{end}}</details>
{{else}}<p>Nothing has been sent yet.</p>{{end}}
</body></html>
`))
