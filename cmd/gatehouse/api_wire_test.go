package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// paths are all that exist, with the methods they take.
var paths = map[string]string{
	"/healthz":                              "GET, HEAD",
	"/readyz":                               "GET, HEAD",
	"/openapi.json":                         "GET, HEAD",
	"/.well-known/openid-configuration":     "GET, HEAD",
	"/.well-known/jwks.json":                "GET, HEAD",
	"/v1/auth/login":                        "POST",
	"/v1/auth/refresh":                      "POST",
	"/v1/auth/logout":                       "POST",
	"/v1/auth/logout-all":                   "POST",
	"/v1/users/me/sessions":                 "GET, HEAD",
	"/v1/users/me/activity":                 "GET, HEAD",
	"/v1/auth/code":                         "POST",
	"/v1/auth/exchange":                     "POST",
	"/v1/users/me/sessions/" + nobodysID:    "DELETE",
	"/v1/auth/providers":                    "GET, HEAD",
	"/v1/users/me/profile":                  "GET, HEAD, PUT",
	"/v1/users":                             "GET, HEAD, POST",
	"/v1/users/" + nobodysID:                "DELETE, GET, HEAD, PUT",
	"/v1/users/" + nobodysID + "/suspend":   "POST",
	"/v1/api-keys":                          "GET, HEAD, POST",
	"/v1/api-keys/" + nobodysID:             "DELETE",
	"/v1/domains":                           "GET, HEAD, POST",
	"/v1/domains/" + nobodysID:              "DELETE",
	"/v1/domains/" + nobodysID + "/verify":  "POST",
	"/v1/domains/" + nobodysID + "/primary": "POST",
	"/v1/tenants":                           "GET, HEAD, POST",
	"/v1/tenants/" + nobodysID:              "DELETE, GET, HEAD, PUT",
	"/v1/tenants/" + nobodysID + "/suspend": "POST",
	"/v1/tenants/" + nobodysID + "/move":    "POST",
	"/v1/fleet":                             "GET, HEAD",
}

func TestEveryPathSaysWhichMethodsItTakes(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for path, allow := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			a := tt.at(t, method, path, request{})
			if slices.Contains(strings.Split(allow, ", "), method) {
				if a.status == 405 || a.status >= 500 {
					t.Errorf("%s %s: %d", method, path, a.status)
				}
				continue
			}
			if a.status != 405 || a.header.Get("Allow") != allow || (method != "HEAD" && a.text("code") != "method_not_allowed") {
				t.Errorf("%s %s: %d, Allow %q, want %q: %s", method, path, a.status, a.header.Get("Allow"), allow, a.body)
			}
		}
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, path := range []string{"/healthz", "/.well-known/jwks.json", "/v1/users", "/v1/auth/providers", "/nothing"} {
		get, head := tt.at(t, "GET", path, request{key: tt.key}), tt.at(t, "HEAD", path, request{key: tt.key})
		if len(head.body) != 0 {
			t.Errorf("%s: HEAD with a body", path)
		}
		get.body = nil
		if diff := alike(get, head); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// A path has one spelling: a proxy that lets /v1/auth through and holds /v1/tenants back must see what we see.
func TestAPathHasOneSpelling(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	for _, path := range []string{
		"/v1", "/v1/", "/v1/users/", "//v1/users", "/v1//users", "/v1/users//", "/./v1/users", "/v1/./users", "/v1/x/../users",
		"/v1/users/../users", "/V1/users", "/v1/Users", "/v1%2Fusers", "/v1%2fusers", "/%76%31/users", "/v1/%75sers", "/v1/users%2F", "/v1/users%00",
		"/v1/users;x=y", "/v1/users/x/y", "/v1/users/me", "/v1/users/me/", "/v1/auth", "/v1/auth/login/x", "/v1/%2e%2e/v1/users", "/v1\\users",
		"/healthz/", "/.well-known", "/.well-known/", "/debug/pprof/", "/metrics", "/v1/users/%2e%2e/api-keys", "/t", "/t/", "/t//v1/users",
		"/t/" + tt.slug, "/t/" + tt.slug + "//v1/users", "/t/" + tt.slug + "%2Fv1/users", "/t%2F" + tt.slug + "/v1/users",
		"/t/" + tt.slug + "/t/" + tt.slug + "/v1/users", "/T/" + tt.slug + "/v1/users", "/t/" + tt.slug + "/../" + tt.slug + "/v1/users", "/t/../v1/users",
		"/t/" + strings.ToUpper(tt.slug) + "/v1/users", "/t/%74" + tt.slug[1:] + "/v1/users",
	} {
		a := tt.send(t, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\n\r\n", path, tt.host, tt.key))
		if a.status != 404 || a.text("code") != "not_found" {
			// A prefix that names another tenant, or none, than the host is told as such.
			if a.status == 403 && a.text("code") == "tenant_mismatch" && strings.HasPrefix(path, "/t/") {
				continue
			}
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	tt.at(t, "GET", "/v1/users?", request{key: tt.key}).want(t, 200, "")
	tt.at(t, "GET", "/t/"+tt.slug+"/v1/users", request{key: tt.key}).want(t, 200, "")
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	ids := map[string]bool{}
	theirs := map[string]string{"X-Request-Id": "mine\tX", "Origin": "https://evil.example"}
	for name, a := range map[string]answer{
		"a success":          tt.at(t, "GET", "/v1/users", request{key: tt.key, header: theirs}),
		"a login":            tt.login(t, email, goodPassword),
		"a creation":         tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": uniqueName() + "@p.example", "name": "N"}}),
		"no content":         tt.at(t, "DELETE", "/v1/api-keys/"+second(tt.newKey(t, "users:read")), request{key: tt.key}),
		"bad request":        tt.at(t, "POST", "/v1/auth/login", request{body: "{"}),
		"not signed in":      tt.at(t, "GET", "/v1/users", request{}),
		"forbidden":          tt.at(t, "GET", "/v1/tenants", request{key: tt.key}),
		"not found":          tt.at(t, "GET", "/nothing", request{}),
		"unknown host":       tp.do(t, request{method: "GET", host: "unknown.example", path: "/v1/users"}),
		"method not allowed": tt.at(t, "PUT", "/v1/users", request{}),
		"preflight":          tt.at(t, "OPTIONS", "/v1/users", request{header: map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}}),
		"too large":          tt.at(t, "POST", "/v1/auth/login", request{body: strings.Repeat("x", 70<<10)}),
		"wrong media type":   tt.at(t, "POST", "/v1/auth/login", request{body: "{}", header: map[string]string{"Content-Type": "text/plain"}}),
		"the keys":           tt.at(t, "GET", "/.well-known/jwks.json", request{}),
		"liveness":           tp.do(t, request{method: "GET", path: "/healthz"}),
		"readiness":          tp.do(t, request{method: "GET", path: "/readyz"}),
		"the description":    tp.do(t, request{method: "GET", path: "/openapi.json"}),
		"absolute form":      tt.send(t, "GET http://"+tt.host+"/v1/users HTTP/1.1\r\nHost: "+tt.host+"\r\n\r\n"),
		"asterisk":           tt.send(t, "OPTIONS * HTTP/1.1\r\nHost: "+tt.host+"\r\n\r\n"),
	} {
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s %q, want %q", name, header, got, want)
			}
		}
		public := name == "the keys" || name == "the description"
		if got := a.header.Get("Cache-Control"); !public && got != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if got := a.header.Get("Content-Type"); len(a.body) > 0 && got != "application/json; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", name, got)
		}
		for _, header := range []string{"Server", "X-Powered-By", "Access-Control-Allow-Origin", "Set-Cookie"} {
			if got := a.header.Get(header); got != "" {
				t.Errorf("%s: %s %q", name, header, got)
			}
		}
		rid := a.header.Get("X-Request-Id")
		if len(a.header.Values("X-Request-Id")) != 1 || len(rid) < 20 || ids[rid] || strings.Contains(rid, "mine") {
			t.Errorf("%s: X-Request-Id %q", name, a.header.Values("X-Request-Id"))
		}
		ids[rid] = true
		if a.status >= 400 && (a.text("code") == "" || a.text("message") == "") {
			t.Errorf("%s: an error without its shape: %s", name, a.body)
		}
	}
}

func second(_, b string) string { return b }

// The absolute form overrides Host in Go's server: a proxy that looks at Host would see another tenant than we do.
func TestTheTargetIsAPathAndTheHostIsOne(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	for name, c := range map[string]struct {
		raw    string
		status int
	}{
		"absolute form, other host": {"GET http://" + globex.host + "/v1/users HTTP/1.1\r\nHost: " + acme.host + "\r\nX-API-Key: " + globex.key + "\r\n\r\n", 400},
		"absolute form, same host":  {"GET http://" + acme.host + "/v1/users HTTP/1.1\r\nHost: " + acme.host + "\r\nX-API-Key: " + acme.key + "\r\n\r\n", 400},
		"no host":                   {"GET /v1/users HTTP/1.1\r\n\r\n", 400},
		"two hosts":                 {"GET /v1/users HTTP/1.1\r\nHost: " + acme.host + "\r\nHost: " + globex.host + "\r\n\r\n", 400},
		"HTTP/1.0 without a host":   {"GET /v1/users HTTP/1.0\r\n\r\n", 404},
		"an empty host":             {"GET /v1/users HTTP/1.1\r\nHost: \r\n\r\n", 404},
		"a host with a user":        {"GET /v1/users HTTP/1.1\r\nHost: x@" + acme.host + "\r\n\r\n", 400},
		"a host with a path":        {"GET /v1/users HTTP/1.1\r\nHost: " + acme.host + "/x\r\n\r\n", 400},
		"both lengths":              {"POST /v1/auth/login HTTP/1.1\r\nHost: " + acme.host + "\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400},
		"CONNECT":                   {"CONNECT " + acme.host + ":80 HTTP/1.1\r\nHost: " + acme.host + "\r\n\r\n", 400},
	} {
		if a := tp.send(t, c.raw); a.status != c.status && (a.status < 400 || a.status > 404) {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	raw := func(header string) answer {
		return tt.send(t, "GET /v1/users HTTP/1.1\r\nHost: "+tt.host+"\r\nX-API-Key: "+tt.key+"\r\n"+header+"\r\n")
	}
	raw("X-Long: "+strings.Repeat("x", 10<<10)+"\r\n").want(t, 200, "")
	for name, header := range map[string]string{
		"one long":   "X-Long: " + strings.Repeat("x", 17<<10) + "\r\n",
		"many":       strings.Repeat("X-Many: xxxxxxxxxxxxxxxx\r\n", 1000),
		"a cookie":   "Cookie: " + strings.Repeat("a=b; ", 4000) + "\r\n",
		"a megabyte": "X-Long: " + strings.Repeat("x", 1<<20) + "\r\n",
	} {
		if a := raw(header); a.status != 431 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// A client that sends its body a byte at a time holds a connection for ten seconds and no longer.
func TestASlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	conn, err := net.Dial("tcp", tt.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	started := time.Now()
	_ = conn.SetDeadline(started.Add(15 * time.Second))
	fmt.Fprintf(conn, "POST /v1/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", tt.host)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode >= 500 || res.StatusCode < 400 {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if d := time.Since(started); d < 5*time.Second || d > 12*time.Second {
		t.Errorf("cut off after %s: %v", d, err)
	}
}
