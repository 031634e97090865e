package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheTokenAnswerIsExactlyTheContracts(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	before := time.Now().Truncate(time.Second)
	a := tt.login(t, email, goodPassword).want(t, 200, "")
	a.wantMembers(t, "", "token,expires_at,refresh_token,refresh_expires_at,tenant_id")
	if a.text("tenant_id") != tt.id {
		t.Errorf("tenant_id %s, want %s", a.text("tenant_id"), tt.id)
	}
	for name, life := range map[string]time.Duration{"expires_at": 10 * time.Minute, "refresh_expires_at": 12 * time.Hour} {
		at, err := time.Parse(time.RFC3339, a.text(name))
		if err != nil || !strings.HasSuffix(a.text(name), "Z") {
			t.Errorf("%s is not an RFC 3339 UTC time: %s", name, a.text(name))
		}
		if d := at.Sub(before); d < life || d > life+5*time.Second {
			t.Errorf("%s is %s from now, want %s", name, d, life)
		}
	}
	if exp := claimsOf(t, a.text("token"))["exp"].(float64); time.Unix(int64(exp), 0).UTC().Format(time.RFC3339) != a.text("expires_at") {
		t.Errorf("expires_at %s is not the token's exp %v", a.text("expires_at"), exp)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a token answer may be cached: %q", got)
	}
	if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("media type %q", got)
	}
}

// One answer for every reason of refusal: a difference in one byte or header tells who has an account.
func TestEveryRefusalOfALoginIsTheSame(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	good, _ := tt.newUser(t)
	suspended, suspendedID := tt.newUser(t)
	tt.at(t, "POST", "/v1/users/"+suspendedID+"/suspend", request{key: tt.key, body: map[string]any{"active": false}}).want(t, 200, "")
	create := func(body map[string]any) {
		body["name"] = "Somebody"
		tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body}).want(t, 201, "")
	}
	create(map[string]any{"email": "invited@people.example", "email_verified": true})
	create(map[string]any{"email": "unverified@people.example", "password": goodPassword})
	create(map[string]any{"email": "federated@people.example", "password": goodPassword, "email_verified": true})
	create(map[string]any{"email": "gone@people.example", "password": goodPassword, "email_verified": true})
	create(map[string]any{"email": "halfway@people.example", "password": goodPassword})
	tt.exec(t, `update users set auth_provider = 'oidc' where email = 'federated@people.example'`)
	tt.exec(t, `delete from users where email = 'gone@people.example'`)
	tt.exec(t, `update users set active = false where email = 'halfway@people.example'`)

	login := func(email, pw string) answer { return tt.login(t, email, pw).want(t, 401, "invalid_credentials") }
	reference := login("nobody@people.example", goodPassword)
	reference.wantMembers(t, "", "code,message")
	if got := reference.header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("a failed login asks for a bearer token: %q", got)
	}
	for name, a := range map[string]answer{
		"a wrong password":                          login(good, "not the right passphrase"),
		"a password too short for anybody":          login(good, "x"),
		"a right password with white space":         login(good, goodPassword+" "),
		"a suspended account":                       login(suspended, goodPassword),
		"a suspended account, wrong password":       login(suspended, "not the right passphrase"),
		"an invited account":                        login("invited@people.example", goodPassword),
		"an unverified address, wrong password":     login("unverified@people.example", "not the right passphrase"),
		"an unverified and suspended account":       login("halfway@people.example", goodPassword),
		"an account that signs in elsewhere":        login("federated@people.example", goodPassword),
		"a deleted account":                         login("gone@people.example", goodPassword),
		"an unknown e-mail domain, shared host":     tp.do(t, request{method: "POST", path: "/v1/auth/login", body: map[string]any{"email": "a@nowhere.example", "password": goodPassword}}),
		"the right account at the platform's login": tp.do(t, request{method: "POST", path: "/v1/auth/login", body: map[string]any{"email": good, "password": goodPassword, "tenant_slug": "platform"}}),
	} {
		if diff := alike(reference, a); diff != "" {
			t.Errorf("%s is told from an unknown address by its %s", name, diff)
		}
	}
	tt.login(t, "unverified@people.example", goodPassword).want(t, 403, "email_not_verified")
	tt.login(t, good, goodPassword).want(t, 200, "")
}

func TestSpellingsOfOnePersonSignInAlike(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	create := func(email, pw string) {
		tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": email, "name": "Somebody", "password": pw, "email_verified": true}}).want(t, 201, "")
	}
	create("Ada.Lovelace+x@BÜCHER.example", "the ﬁrst programmer 2026") // ﬁ is one ligature
	create("ohm@people.example", "resistance in \u212B and \u2126 is useless")
	for _, c := range []struct {
		name, email, password string
		ok                    bool
	}{
		{"as created", "Ada.Lovelace+x@BÜCHER.example", "the ﬁrst programmer 2026", true},
		{"lower case", "ada.lovelace+x@bücher.example", "the ﬁrst programmer 2026", true},
		{"upper case", "ADA.LOVELACE+X@BÜCHER.EXAMPLE", "the ﬁrst programmer 2026", true},
		{"A-label", "ada.lovelace+x@xn--bcher-kva.example", "the ﬁrst programmer 2026", true},
		{"NFKC of the password", "ada.lovelace+x@bücher.example", "the first programmer 2026", true},
		{"full width", "ada.lovelace+x@bücher.example", "the first programmer ２０２６", true},
		{"decomposed", "ohm@people.example", "resistance in A\u030A and \u03A9 is useless", true},
		{"without the tag", "ada.lovelace@bücher.example", "the first programmer 2026", false},
		{"without the dot", "adalovelace+x@bücher.example", "the first programmer 2026", false},
		{"case of the password", "ada.lovelace+x@bücher.example", "The first programmer 2026", false},
		{"prefix of the password", "ada.lovelace+x@bücher.example", "the first programmer 202", false},
		{"other IDN", "ada.lovelace+x@bucher.example", "the first programmer 2026", false},
	} {
		if c.ok {
			tt.login(t, c.email, c.password).want(t, 200, "")
		} else {
			tt.login(t, c.email, c.password).want(t, 401, "invalid_credentials")
		}
	}
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": "ADA.lovelace+X@xn--bcher-kva.EXAMPLE", "name": "Twin"}}).want(t, 409, "email_taken")
}

// The whole password counts: bcrypt's 72 bytes are the classic mistake.
func TestLongPasswordsAreComparedWhole(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	long := strings.Repeat("0123456789abcdef", 64) // 1,024 bytes
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": "long@people.example", "name": "L", "password": long, "email_verified": true}}).want(t, 201, "")
	tt.login(t, "long@people.example", long).want(t, 200, "")
	tt.login(t, "long@people.example", long[:1023]+"X").want(t, 401, "invalid_credentials")
	tt.login(t, "long@people.example", long[:72]).want(t, 401, "invalid_credentials")
	tt.login(t, "long@people.example", long+"0").wantFields(t, "password")
}

func TestABadLoginNamesAllItsBadFields(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ name, body, fields string }{
		{"nothing", `{}`, "email,password"},
		{"empty", `{"email":"","password":""}`, "email,password"},
		{"null", `{"email":null,"password":null}`, "email,password"},
		{"wrong types", `{"email":1,"password":["x"],"tenant_slug":7}`, "email,password,tenant_slug"},
		{"an object for a password", `{"email":"a@b.example","password":{"$ne":""}}`, "password"},
		{"no address", `{"email":"somebody","password":"x"}`, "email"},
		{"a non-ASCII local part", `{"email":"é@people.example","password":"x"}`, "email"},
		{"a line break in the address", `{"email":"a@people.example\r\nBcc: b@c.example","password":"x"}`, "email"},
		{"an unknown member", `{"email":"a@people.example","password":"x","admin":true}`, "admin"},
		{"an upper-case member", `{"email":"a@people.example","Password":"x"}`, "Password,password"},
		{"a long s in a member", `{"email":"a@people.example","paſſword":"x"}`, "password,paſſword"},
		{"several at once", `{"email":"x","password":"","tenant_slug":false,"more":1}`, "email,more,password,tenant_slug"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tt.at(t, "POST", "/v1/auth/login", request{body: c.body}).wantFields(t, c.fields)
		})
	}
	for name, body := range map[string]string{
		"a duplicate member":          `{"email":"a@people.example","password":"x","password":"y"}`,
		"a duplicate by escape":       `{"email":"a@people.example","password":"x","pass\u0077ord":"y"}`,
		"invalid UTF-8":               "{\"email\":\"a@people.example\",\"password\":\"x\xff\"}",
		"overlong UTF-8":              "{\"email\":\"a@people.example\",\"password\":\"\xc0\xaf\"}",
		"NUL in the address":          `{"email":"a\u0000@people.example","password":"x"}`,
		"NUL in the password":         `{"email":"a@people.example","password":"x\u0000y"}`,
		"a lone high surrogate":       `{"email":"a@people.example","password":"\ud800"}`,
		"a lone low surrogate":        `{"email":"a@people.example","password":"\udc00x"}`,
		"a second value":              `{"email":"a@people.example","password":"x"}{}`,
		"trailing text":               `{"email":"a@people.example","password":"x"} x`,
		"a byte order mark":           "\ufeff" + `{"email":"a@people.example","password":"x"}`,
		"an array":                    `[{"email":"a@people.example","password":"x"}]`,
		"a string":                    `"a@people.example"`,
		"null":                        `null`,
		"half":                        `{"email":"a@people.example","pass`,
		"single quotes":               `{'email':'a@people.example'}`,
		"a comment":                   `{/* */"email":"a@people.example","password":"x"}`,
		"a trailing comma":            `{"email":"a@people.example","password":"x",}`,
		"more than 32 levels":         `{"email":"a@people.example","password":"x","deep":` + deep + `}`,
		"nothing but white space":     ` `,
		"a raw control character":     "{\"email\":\"a@people.example\",\"password\":\"x\ty\"}",
		"form data declared as JSON":  "email=a@people.example&password=x",
		"NaN":                         `{"email":NaN,"password":"x"}`,
		"a name that is not a string": `{email:"a@people.example","password":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.at(t, "POST", "/v1/auth/login", request{body: body}).want(t, 400, "invalid_request")
		})
	}
}

func TestTheBodyOfALoginIsDeclaredAndBounded(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, email, goodPassword)
	for _, c := range []struct {
		media  string
		status int
	}{
		{"application/json", 200},
		{"application/json; charset=utf-8", 200},
		{"application/json;charset=utf-8", 200},
		{"Application/JSON; Charset=UTF-8", 200},
		{"application/json; charset=iso-8859-1", 415},
		{"application/json; charset=utf-16", 415},
		{"application/json; charset=utf-8; charset=utf-16", 415},
		{"application/json; boundary=x", 415},
		{"application/json, text/plain", 415},
		{"application/problem+json", 415},
		{"application/x-www-form-urlencoded", 415},
		{"multipart/form-data; boundary=x", 415},
		{"text/plain", 415},
		{"text/json", 415},
		{"*/*", 415},
		{" ", 415},
	} {
		a := tt.at(t, "POST", "/v1/auth/login", request{body: body, header: map[string]string{"Content-Type": c.media}})
		if a.status != c.status {
			t.Errorf("%q: %d %s, want %d", c.media, a.status, a.body, c.status)
		}
		if c.status == 415 && a.text("code") != "unsupported_media_type" {
			t.Errorf("%q: code %s", c.media, a.text("code"))
		}
	}
	undeclared := tt.send(t, fmt.Sprintf("POST /v1/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", tt.host, len(body), body))
	undeclared.want(t, 415, "unsupported_media_type")
	tt.at(t, "POST", "/v1/auth/login", request{body: body, header: map[string]string{"Content-Encoding": "gzip"}}).want(t, 415, "unsupported_media_type")
	tt.at(t, "POST", "/v1/auth/login", request{}).want(t, 400, "invalid_request")
	tt.at(t, "POST", "/v1/auth/login", request{body: ""}).want(t, 400, "invalid_request")

	pad := func(n int) string { return body + strings.Repeat(" ", n-len(body)) }
	tt.at(t, "POST", "/v1/auth/login", request{body: pad(64 << 10)}).want(t, 200, "")
	tt.at(t, "POST", "/v1/auth/login", request{body: pad(64<<10 + 1)}).want(t, 413, "too_large")
	tt.at(t, "POST", "/v1/auth/login", request{body: strings.Repeat("x", 1<<20)}).want(t, 413, "too_large")
}

// The rules by which a login finds its tenant, and that no two hints may disagree.
func TestALoginFindsItsTenantByExactlyTheRules(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	domain := uniqueName() + ".localhost"
	claim := acme.at(t, "POST", "/v1/domains", request{key: acme.key, body: map[string]any{"domain": domain, "uses": []string{"email"}}}).want(t, 201, "")
	email := "ada@" + domain
	acme.at(t, "POST", "/v1/users", request{key: acme.key, body: map[string]any{"email": email, "name": "Ada", "password": goodPassword, "email_verified": true}}).want(t, 201, "")
	globexEmail, _ := globex.newUser(t)
	globexToken := globex.login(t, globexEmail, goodPassword).want(t, 200, "").text("token")

	login := func(host, path string, slug any, header map[string]string) answer {
		body := map[string]any{"email": email, "password": goodPassword}
		if slug != nil {
			body["tenant_slug"] = slug
		}
		return tp.do(t, request{method: "POST", host: host, path: path + "/v1/auth/login", body: body, header: header})
	}
	login("", "", nil, nil).want(t, 401, "invalid_credentials") // claimed is not proved
	verified := acme.at(t, "POST", "/v1/domains/"+claim.text("id")+"/verify", request{key: acme.key}).want(t, 200, "")
	if verified.field("verified") != true {
		t.Fatalf("a name under .localhost does not verify: %s", verified.body)
	}
	eventually(t, 2*time.Second, "the proved domain signs in", func() bool { return login("", "", nil, nil).status == 200 })

	for _, c := range []struct {
		name, host, path string
		slug             any
		header           map[string]string
		status           int
		code             string
	}{
		{name: "own host", host: acme.host, status: 200},
		{name: "own host with its slug", host: acme.host, slug: acme.slug, status: 200},
		{name: "own host, upper case, dot and port", host: strings.ToUpper(acme.host) + ".:" + port(tp), status: 200},
		{name: "own host with its id", host: acme.host, header: map[string]string{"X-Tenant-ID": acme.id}, status: 200},
		{name: "shared host by slug", slug: acme.slug, status: 200},
		{name: "shared host by path", path: "/t/" + acme.slug, status: 200},
		{name: "shared host by path and slug", path: "/t/" + acme.slug, slug: acme.slug, status: 200},
		{name: "shared host by e-mail domain", status: 200},
		{name: "shared host by e-mail domain, with its id", header: map[string]string{"X-Tenant-ID": acme.id}, status: 200},

		{name: "another tenant's host", host: globex.host, status: 401, code: "invalid_credentials"},
		{name: "another tenant's slug", slug: globex.slug, status: 401, code: "invalid_credentials"},
		{name: "host and slug disagree", host: acme.host, slug: globex.slug, status: 403, code: "tenant_mismatch"},
		{name: "host and unknown slug disagree", host: acme.host, slug: "nobody-has-this", status: 403, code: "tenant_mismatch"},
		{name: "host and empty slug disagree", host: acme.host, slug: "", status: 403, code: "tenant_mismatch"},
		{name: "host and path disagree", host: acme.host, path: "/t/" + globex.slug, status: 403, code: "tenant_mismatch"},
		{name: "path and slug disagree", path: "/t/" + acme.slug, slug: globex.slug, status: 403, code: "tenant_mismatch"},
		{name: "host and id disagree", host: acme.host, header: map[string]string{"X-Tenant-ID": globex.id}, status: 403, code: "tenant_mismatch"},
		{name: "slug and id disagree", slug: acme.slug, header: map[string]string{"X-Tenant-ID": globex.id}, status: 403, code: "tenant_mismatch"},
		{name: "e-mail domain and id disagree", header: map[string]string{"X-Tenant-ID": globex.id}, status: 403, code: "tenant_mismatch"},
		{name: "host and token disagree", host: acme.host, header: map[string]string{"Authorization": "Bearer " + globexToken}, status: 403, code: "tenant_mismatch"},
		{name: "host and key disagree", host: acme.host, header: map[string]string{"X-API-Key": globex.key}, status: 403, code: "tenant_mismatch"},
		{name: "slug and key disagree", slug: acme.slug, header: map[string]string{"X-API-Key": globex.key}, status: 403, code: "tenant_mismatch"},

		{name: "an unknown host", host: "nobody.example", status: 404, code: "not_found"},
		{name: "no host at all that is one", host: "127.0.0.1:" + port(tp), status: 404, code: "not_found"},
		{name: "another port", host: acme.host + ":1", status: 404, code: "not_found"},
		{name: "an unknown slug", slug: "nobody-has-this", status: 404, code: "not_found"},
		{name: "a slug in other case", slug: strings.ToUpper(acme.slug), status: 404, code: "not_found"},
		{name: "an empty slug", slug: "", status: 404, code: "not_found"},
		{name: "an unknown path", path: "/t/nobody-has-this", status: 404, code: "not_found"},
		{name: "an e-mail domain used as a host", host: domain, status: 404, code: "not_found"},
		{name: "a forwarded host from nobody we trust", host: globex.host, header: map[string]string{"X-Forwarded-Host": acme.host}, status: 401, code: "invalid_credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			login(c.host, c.path, c.slug, c.header).want(t, c.status, c.code)
		})
	}
	// On the shared host nothing else says whose a person without a proved domain is.
	tp.do(t, request{method: "POST", path: "/v1/auth/login", body: map[string]any{"email": globexEmail, "password": goodPassword}}).want(t, 401, "invalid_credentials")
}

func port(tp *testPlatform) string {
	_, port, _ := strings.Cut(tp.address, ":")
	return port
}

func TestASuspendedTenantSignsNobodyIn(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	suspend := func(active bool) {
		tp.do(t, request{method: "POST", path: "/v1/tenants/" + tt.id + "/suspend", key: tp.platformKey, body: map[string]any{"active": active}}).want(t, 200, "")
	}
	suspend(false)
	eventually(t, 2*time.Second, "the tenant is suspended", func() bool { return tt.login(t, email, goodPassword).status == 403 })
	tt.login(t, email, goodPassword).want(t, 403, "tenant_suspended")
	for _, c := range []struct {
		method, path string
		rq           request
	}{
		{"GET", "/v1/users/me/profile", request{bearer: token}},
		{"GET", "/v1/users", request{key: tt.key}},
		{"GET", "/v1/users", request{}},
		{"POST", "/v1/users", request{key: tt.key, body: `{}`}},
		{"GET", "/v1/auth/providers", request{}},
		{"POST", "/v1/auth/login", request{body: `{}`}},
		{"POST", "/v1/auth/login", request{body: `{}`, header: map[string]string{"Content-Type": "text/plain"}}},
		{"GET", "/v1/api-keys", request{key: tt.key}},
		{"GET", "/v1/domains", request{key: tt.key}},
	} {
		tt.at(t, c.method, c.path, c.rq).want(t, 403, "tenant_suspended")
	}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
		tt.at(t, "GET", path, request{}).want(t, 200, "")
	}
	suspend(true)
	eventually(t, 2*time.Second, "the tenant is back", func() bool { return tt.login(t, email, goodPassword).status == 200 })
	tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
}

// The race: the administrator's transaction has read all sessions of the user and has not committed, and the login writes
// its session at that moment. It must see the suspension, or the session outlives it.
func TestALoginDuringASuspensionLeavesNoSession(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for name, change := range map[string]string{
		"suspended": `update users set active = false, credential_version = credential_version + 1 where id = $1`,
		"deleted":   `delete from users where id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			email, userID := tt.newUser(t)
			admin := tt.superuser(t)
			tx, err := admin.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{`select from users where id = $1 for update`, change, `delete from sessions where user_id = $1`} {
				if _, err := tx.Exec(t.Context(), sql, userID); err != nil {
					t.Fatal(err)
				}
			}
			answered := make(chan answer)
			go func() { answered <- tt.login(t, email, goodPassword) }()
			var pid int
			if err := tx.QueryRow(t.Context(), `select pg_backend_pid()`).Scan(&pid); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "the login waits for the administrator", func() bool {
				return tt.count(t, `select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))`, pid) > 0
			})
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			(<-answered).want(t, 401, "invalid_credentials")
			if n := tt.count(t, `select count(*) from sessions where user_id = $1`, userID); n != 0 {
				t.Errorf("%d sessions outlived the account", n)
			}
		})
	}
}

// An administrator who is demoted while signing in gets no session with a token that says otherwise.
func TestNoSessionOfAnAdministratorSurvivesADemotion(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for range 30 {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			email, userID := tt.newUser(t, "admin")
			answered := make(chan answer, 1)
			go func() { answered <- tt.login(t, email, goodPassword) }()
			tt.at(t, "PUT", "/v1/users/"+userID, request{key: tt.key, body: map[string]any{"roles": []string{"user"}}}).want(t, 200, "")
			token := (<-answered).text("token")
			if token == "" || !strings.Contains(claimsText(t, token), `"roles":["admin"]`) {
				return // refused, or signed in as what they are now
			}
			tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 401, "unauthenticated")
		})
	}
	wg.Wait()
}

// claimsText is the payload of a token as it was signed.
func claimsText(t *testing.T, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The same by chance and through the front door: whatever the order, no token of before works after reactivation.
func TestNoSessionSurvivesASuspension(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	const rounds = 50
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for range rounds {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			email, userID := tt.newUser(t)
			suspend := func(active bool) {
				tt.at(t, "POST", "/v1/users/"+userID+"/suspend", request{key: tt.key, body: map[string]any{"active": active}}).want(t, 200, "")
			}
			answered := make(chan answer, 1)
			go func() { answered <- tt.login(t, email, goodPassword) }()
			suspend(false)
			a := <-answered
			if a.status != 200 && a.status != 401 && !a.overloaded() {
				t.Errorf("a login during a suspension: %d %s", a.status, a.body)
			}
			suspend(true)
			if token := a.text("token"); token != "" {
				tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 401, "unauthenticated")
			}
			if n := tt.count(t, `select count(*) from sessions where user_id = $1`, userID); n != 0 {
				t.Errorf("%d sessions survived the suspension", n)
			}
		})
	}
	wg.Wait()
}

func TestALoginTakesNoOtherMethod(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "post"} {
		a := tt.at(t, method, "/v1/auth/login", request{})
		if a.status != 405 || a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
		}
	}
}
