package main

import (
	"net/http"
	"testing"
	"time"
)

const pageOrigin = "https://app.example.com"

func (tt testTenant) allowOrigin(t *testing.T, origins ...string) {
	t.Helper()
	tt.settings(t, func(s map[string]any) { s["allowed_origins"] = append([]string{}, origins...) }).want(t, 200, "")
}

// ofPage is a request of a page.
func (rq request) ofPage(origin string) request {
	rq.header = map[string]string{"Origin": origin}
	return rq
}

// preflight asks for a page whether it may.
func (tt testTenant) preflight(t *testing.T, host, path, origin string) answer {
	t.Helper()
	rq := request{method: "OPTIONS", host: host, path: path}.ofPage(origin)
	rq.header["Access-Control-Request-Method"] = "POST"
	rq.header["Access-Control-Request-Headers"] = "authorization,content-type"
	return tt.do(t, rq)
}

// shut fails unless a browser keeps the answer from the page.
func (a answer) shut(t *testing.T, what string) {
	t.Helper()
	for name := range a.header {
		if len(name) > 14 && name[:14] == "Access-Control" {
			t.Errorf("%s: %s: %s", what, name, a.header.Get(name))
		}
	}
}

func TestPagesOfAllowedOriginsMayCall(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	tt.allowOrigin(t, pageOrigin, "http://localhost:5173")

	for _, at := range [][2]string{{tt.host, ""}, {"", "/t/" + tt.slug}} {
		host, prefix := at[0], at[1]
		a := tt.preflight(t, host, prefix+"/v1/auth/login", pageOrigin)
		if a.status != 204 || len(a.body) > 0 || a.header.Get("Access-Control-Allow-Methods") != "GET, POST, PUT, DELETE" ||
			a.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, Idempotency-Key, X-Tenant-ID" || a.header.Get("Access-Control-Max-Age") != "600" {
			t.Errorf("preflight: %d %v %s", a.status, a.header, a.body)
		}
		login := tt.do(t, request{method: "POST", host: host, path: prefix + "/v1/auth/login", body: jsonBody{"email": email, "password": goodPassword}}.ofPage(pageOrigin)).want(t, 200, "")
		refused := tt.do(t, request{method: "GET", host: host, path: prefix + profilePath}.ofPage(pageOrigin)).want(t, 401, "unauthenticated")
		unknown := tt.do(t, request{method: "GET", host: host, path: prefix + "/v1/nothing"}.ofPage(pageOrigin)).want(t, 404, "not_found")
		for _, x := range []answer{a, login, refused, unknown} {
			if x.header.Get("Access-Control-Allow-Origin") != pageOrigin || x.header.Get("Vary") != "Origin" || x.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%d %v", x.status, x.header)
			}
		}
	}
	if a := tt.preflight(t, tt.host, profilePath, "http://localhost:5173"); a.header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
		t.Errorf("the other origin: %v", a.header)
	}
}

func TestOtherPagesMayNot(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	tt.allowOrigin(t, pageOrigin)
	for _, origin := range []string{
		"null", "*", "https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com/",
		"HTTPS://app.example.com", "https://APP.example.com", "https://sub.app.example.com", "https://" + tt.host,
	} {
		if a := tt.preflight(t, tt.host, profilePath, origin); a.status != 405 {
			t.Errorf("%q: preflight %d", origin, a.status)
		} else {
			a.shut(t, origin)
		}
		tt.do(t, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}.ofPage(origin)).want(t, 200, "").shut(t, origin)
	}
	tt.preflight(t, other.host, profilePath, pageOrigin).shut(t, "another tenant's host")
	tt.preflight(t, "", "/t/"+other.slug+profilePath, pageOrigin).shut(t, "another tenant's prefix")
	tt.preflight(t, other.host, "/t/"+tt.slug+profilePath, pageOrigin).shut(t, "the prefix at another tenant's host")
	tt.preflight(t, "", profilePath, pageOrigin).shut(t, "the shared host, which is no tenant's")
	tt.preflight(t, "nobody.example", profilePath, pageOrigin).shut(t, "nobody's host")
	twice := request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}.ofPage(pageOrigin + "\n" + pageOrigin)
	twice.send(t, tp).want(t, 200, "").shut(t, "two origins")

	a := tt.do(t, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}).want(t, 200, "")
	if a.shut(t, "no page"); a.header.Get("Vary") != "Origin" {
		t.Errorf("a cache may give this answer to a page: %v", a.header)
	}
	if a := tt.do(t, request{method: "OPTIONS", host: tt.host, path: profilePath}.ofPage(pageOrigin)); a.status != 405 {
		t.Errorf("OPTIONS that is no preflight: %d", a.status)
	}
}

func TestAnOriginTakenAwayIsHeardOf(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.allowOrigin(t, pageOrigin)
	if a := tt.preflight(t, tt.host, profilePath, pageOrigin); a.status != 204 {
		t.Fatalf("allowed: %d", a.status)
	}
	tt.allowOrigin(t)
	eventually(t, 20*time.Second, "the origin is refused", func() bool { return tt.preflight(t, tt.host, profilePath, pageOrigin).status == 405 })
}

// R43. Nothing that a browser sends by itself says who somebody is, so no page can have it do something for them.
func TestThereAreNoCookies(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	login := tt.login(t, email, goodPassword).want(t, 200, "")
	if cookies := login.header.Values("Set-Cookie"); len(cookies) > 0 {
		t.Errorf("a login sets %v", cookies)
	}
	rq := request{header: map[string]string{"Cookie": "token=" + login.text("token") + "; __Host-session=" + login.text("token")}}
	tt.at(t, "GET", profilePath, rq).want(t, 401, "unauthenticated")
	// What an HTML form can send is no request of ours.
	for _, media := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
		form := request{bearer: login.text("token"), body: `{"first_name":"x"}`, header: map[string]string{"Content-Type": media}}
		tt.at(t, "PUT", profilePath, form).want(t, 415, "unsupported_media_type")
	}
}

// R43. Reading changes nothing, whoever reads.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, id := tt.signIn(t, "admin")
	state := func() (n int) {
		return tt.count(t, `select (select count(*) from users) * 1000 + (select count(*) from sessions) * 100 + (select count(*) from api_keys) * 10 +
			(select count(*) from audit_log)`)
	}
	before := state()
	for _, o := range describe(t).operations() {
		if o.method != http.MethodGet {
			continue
		}
		for _, method := range []string{"GET", "HEAD"} {
			rq := o.example()
			rq.method, rq.host, rq.bearer = method, tt.host, admin
			tt.do(t, rq)
		}
	}
	for _, path := range []string{"/v1/users/" + id + "/suspend", "/v1/users/me/password", "/v1/auth/login", "/v1/auth/step-up"} {
		for _, method := range []string{"GET", "HEAD"} {
			if a := tt.at(t, method, path, request{bearer: admin}); a.status != 405 {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("before %d, after %d", before, after)
	}
}
