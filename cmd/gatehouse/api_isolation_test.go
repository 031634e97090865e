package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// side is one of two tenants, everything that is its own, and the marks by which its data is recognised anywhere.
type side struct {
	testTenant
	credentials []request // of all kinds
	ids         []string  // of users, keys and domains
	cursor      string
	emails      []string
	marks       []string
}

func newSide(tb testing.TB, tp *testPlatform) *side {
	tb.Helper()
	s := &side{testTenant: tp.newTenant(tb)}
	mark := uniqueName()
	for i, roles := range [][]string{{"admin"}, {"user"}, {}} {
		email := fmt.Sprintf("%s-%d@people.example", mark, i)
		s.ids = append(s.ids, s.at(tb, "POST", "/v1/users", request{key: s.key, body: map[string]any{"email": email, "name": mark, "roles": roles,
			"password": goodPassword, "email_verified": true}}).want(tb, 201, "").text("id"))
		token := s.login(tb, email, goodPassword).want(tb, 200, "").text("token")
		s.credentials = append(s.credentials, request{bearer: token})
		s.emails = append(s.emails, email)
	}
	weak, weakID := s.newKey(tb, "users:read")
	domain := s.at(tb, "POST", "/v1/domains", request{key: s.key, body: map[string]any{"domain": mark + ".example"}}).want(tb, 201, "").text("id")
	s.credentials = append(s.credentials, request{key: s.key}, request{key: weak})
	s.cursor = s.at(tb, "GET", "/v1/users?limit=1", request{key: s.key}).want(tb, 200, "").text("next_cursor")
	s.ids = append(s.ids, weakID, domain)
	// The id and slug of a tenant are in its own requests' answers alone, and so are the names and ids of what it holds.
	s.marks = append([]string{mark, s.id, s.slug, s.key, weak}, s.ids...)
	return s
}

// Random sequences of requests that mix everything two tenants have. Whatever the mixture, an answer to a request that
// proves itself with something of one tenant's, or comes to its host, holds nothing of the other's.
func TestNoMixtureOfHintsCrossesTenants(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	sides := [2]*side{newSide(t, tp), newSide(t, tp)}
	platform := tp.platformTenant(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(n int) int { return r.IntN(n) }
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	successes := 0
	for range rounds {
		by, of := sides[pick(2)], sides[pick(2)] // whose credential, and whose objects and hints
		rq := by.credentials[pick(len(by.credentials))]
		rq.header = map[string]string{}
		switch pick(6) {
		case 0:
			rq.host = by.host
		case 1:
			rq.host = of.host
		case 2:
			rq.host = platform.host
		case 3:
			rq.path = "/t/" + of.slug
		case 4:
			rq.host, rq.path = by.host, "/t/"+of.slug
		}
		if pick(5) == 0 {
			rq.header["X-Tenant-ID"] = of.id
		}
		if pick(5) == 0 {
			rq.header["X-Forwarded-Host"] = of.host
		}
		if pick(8) == 0 && rq.key == "" {
			rq.key = of.key
		}
		rq.header["Idempotency-Key"] = fmt.Sprint("mixture-", pick(3))
		object := of.ids[pick(len(of.ids))]
		label := fmt.Sprint("mixture-", pick(30))
		o := []struct {
			method, path string
			body         any
		}{
			{"GET", "/v1/users", nil},
			{"GET", "/v1/users?cursor=" + url.QueryEscape(of.cursor), nil},
			{"GET", "/v1/users?q=" + of.marks[0], nil},
			{"GET", "/v1/users?email=" + of.emails[0], nil},
			{"GET", "/v1/users/" + object, nil},
			{"PUT", "/v1/users/" + object, map[string]any{"name": by.marks[0]}},
			{"POST", "/v1/users/" + object + "/suspend", map[string]any{"active": true}},
			{"POST", "/v1/users", map[string]any{"email": label + "@people.example", "name": "N"}},
			{"GET", "/v1/users/me/profile", nil},
			{"GET", "/v1/api-keys", nil},
			{"POST", "/v1/api-keys", map[string]any{"name": "N", "scopes": []string{"users:read"}}},
			{"GET", "/v1/domains", nil},
			{"POST", "/v1/domains", map[string]any{"domain": label + ".example"}},
			{"POST", "/v1/domains/" + object + "/verify", nil},
			{"POST", "/v1/domains/" + object + "/primary", nil},
			{"GET", "/v1/tenants", nil},
			{"GET", "/v1/tenants/" + of.id, nil},
			{"PUT", "/v1/tenants/" + of.id, map[string]any{"name": "N"}},
			{"POST", "/v1/auth/login", map[string]any{"email": of.emails[0], "password": goodPassword}},
			{"POST", "/v1/auth/login", map[string]any{"email": of.emails[0], "password": goodPassword, "tenant_slug": by.slug}},
			{"GET", "/v1/auth/providers?slug=" + of.slug, nil},
		}[pick(20)]
		rq.method, rq.path, rq.body = o.method, rq.path+o.path, o.body
		a := tp.do(t, rq)
		if a.status >= 500 {
			t.Errorf("seed %d: %s %s: %d %s", seed, rq.method, rq.path, a.status, a.body)
		}
		if a.status < 300 {
			successes++
		}
		for _, other := range sides {
			if other == by {
				continue
			}
			for _, mark := range other.marks {
				if strings.Contains(string(a.body), mark) {
					t.Fatalf("seed %d: a request with a credential of %s to %s %s (host %q, %v) is shown %q of %s: %d %s",
						seed, by.slug, rq.method, rq.path, rq.host, rq.header, mark, other.slug, a.status, a.body)
				}
			}
		}
	}
	if successes < rounds/20 {
		t.Errorf("seed %d: %d of %d requests succeeded: the mixture shows nothing", seed, successes, rounds)
	}
	for _, s := range sides { // and neither was changed by the other
		for _, object := range s.ids[:3] {
			if a := s.at(t, "GET", "/v1/users/"+object, request{key: s.key}).want(t, 200, ""); a.text("name") != s.marks[0] {
				t.Errorf("seed %d: a user of %s was renamed %s", seed, s.slug, a.text("name"))
			}
		}
	}
}

// Tenants are separate in the database, too: what a tenant's rows hold names no other tenant.
func TestATenantsRowsAreInItsSchemaAlone(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := newSide(t, tp), newSide(t, tp)
	tenant, err := id.ParseTenant(globex.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"users", "sessions", "api_keys"} {
		n := acme.count(t, fmt.Sprintf(`select count(*) from %[1]s a join t_%[2]s.%[1]s g using (id)`, table, tenant.Hex()))
		if n != 0 || acme.count(t, `select count(*) from `+table) == 0 {
			t.Errorf("%s: %d rows in both schemas", table, n)
		}
	}
}

// A full scenario, and then nothing secret is in the log.
func TestTheLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	tt := tp.newTenant(t)
	const secret = "correct horse battery staple"
	email := "private.address@people.example"
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": email, "name": "Name Of Somebody", "password": secret, "email_verified": true, "roles": []string{"admin"}},
		header: map[string]string{"Idempotency-Key": "key-that-is-guessable"}}).want(t, 201, "")
	login := tt.login(t, email, secret).want(t, 200, "")
	token, refresh := login.text("token"), login.text("refresh_token")
	tt.login(t, email, secret+"!").want(t, 401, "invalid_credentials")
	raw := tt.at(t, "POST", "/v1/api-keys", request{bearer: token, body: map[string]any{"name": "k", "scopes": []string{"users:read"}}}).want(t, 201, "").text("raw_key")
	for _, rq := range []request{{bearer: token}, {key: raw}, {bearer: token + "x"}, {key: raw + "x"}, {bearer: raw}, {bearer: refresh}, {key: refresh}, {bearer: token, key: raw}} {
		tt.at(t, "GET", "/v1/users?email="+email+"&q="+url.QueryEscape(secret)+"&token="+token, rq)
		tt.at(t, "GET", "/v1/users/"+token, rq)
		tt.at(t, "GET", "/unknown/"+raw, rq)
	}
	for _, body := range []string{`{"email":"` + email + `","password":"` + secret + `"`, `{"password":"` + secret + `","` + secret + `":1}`, `"` + secret + `"`, secret} {
		tt.at(t, "POST", "/v1/auth/login", request{body: body}).want(t, 400, "invalid_request")
	}
	tt.at(t, "POST", "/v1/auth/login", request{body: `{}`, header: map[string]string{"User-Agent": secret, "X-Request-Id": secret, "Referer": "https://x.example/?" + token, "Cookie": "s=" + token}})
	// And where the service itself fails: a row it cannot read is a 500, whose cause is logged.
	tt.exec(t, `update users set password_hash = 'damaged'`)
	broken := tt.login(t, email, secret)
	if broken.status != 500 || broken.text("details.request_id") != broken.header.Get("X-Request-Id") || broken.text("code") != "internal" {
		t.Errorf("a damaged row: %d %s", broken.status, broken.body)
	}
	if strings.Contains(string(broken.body), "damaged") || strings.Contains(string(broken.body), "hash") {
		t.Errorf("an answer tells of the inside: %s", broken.body)
	}
	tt.exec(t, `alter table users rename to users_elsewhere`)
	tt.login(t, email, secret).want(t, 500, "internal")
	tt.at(t, "GET", "/v1/users", request{bearer: token}).want(t, 500, "internal")

	logged := tp.logs.String()
	if !strings.Contains(logged, broken.header.Get("X-Request-Id")) || !strings.Contains(logged, "request failed") {
		t.Fatal("the log does not tell of the failures")
	}
	parts := strings.Split(token, ".")
	for name, s := range map[string]string{
		"a password": secret, "a password in a query": url.QueryEscape(secret), "a word of a password": "battery", "an address": email, "a name": "Name Of Somebody",
		"an access token": token, "its payload": parts[1], "its signature": parts[2], "a refresh token": refresh, "its secret": refresh[len(refresh)-30:],
		"an API key": raw, "its secret part": raw[len(raw)-30:], "the tenant's key": tt.key[len(tt.key)-30:], "the platform's key": tp.platformKey[len(tp.platformKey)-30:],
		"a hash": "$argon2", "an idempotency key": "key-that-is-guessable", "the Vault secret": string(tp.config.Vault.Login.SecretID), "the database URL": string(tp.config.DatabaseURL),
	} {
		if s == "" {
			continue // the Vault of this run is entered by token
		}
		if strings.Contains(logged, s) {
			t.Errorf("the log holds %s", name)
		}
	}
}

// Connections that a client leaves in the middle of a login free what they held.
func TestAClientThatLeavesBreaksNothing(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	for range 20 {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+tt.address+"/v1/auth/login", strings.NewReader(`{"email":"`+email))
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.ContentLength = tt.host, 1000
		r.Header.Set("Content-Type", "application/json")
		if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
	tt.login(t, email, goodPassword).want(t, 200, "")
}
