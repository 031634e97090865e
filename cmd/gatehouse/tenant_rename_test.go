package main

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// A tenant without a domain has its slug in its issuer. Tokens of before go on being good, and a library that meets one still
// finds how to verify it; nothing else answers at the old slug.
func TestANewSlugKeepsTokensGood(t *testing.T) {
	t.Parallel()
	c := &clock{began: time.Now()}
	in := tenancytest.Install(t)
	one := startOn(t, in, func(cfg *config) { c.runs(cfg); cfg.TenantDomain = "" })
	two := startOn(t, in, func(cfg *config) { c.runs(cfg); cfg.TenantDomain, cfg.Address = "", one.config.Address })
	tt := one.newTenant(t)
	tt.host = ""
	below := func(tp *testPlatform, slug, method, path string, rq request) answer {
		rq.method, rq.path = method, "/t/"+slug+path
		return tp.do(t, rq)
	}
	email := "ada@people.example"
	below(one, tt.slug, "POST", "/v1/users", request{key: tt.key, body: jsonBody{"email": email, "name": "Ada", "password": goodPassword, "email_verified": true}}).want(t, 201, "")
	login := func(tp *testPlatform, slug string) answer {
		return below(tp, slug, "POST", "/v1/auth/login", request{body: jsonBody{"email": email, "password": goodPassword}})
	}
	old := login(one, tt.slug).want(t, 200, "")
	was, is := tt.slug, tt.slug+"-renamed"
	one.do(t, request{method: "PUT", path: "/v1/tenants/" + tt.id, key: one.platformKey, body: jsonBody{"slug": is}}).want(t, 200, "")
	issuer := func(slug string) string { return one.url + "/t/" + slug }
	for _, tp := range []*testPlatform{one, two} {
		here := tt
		here.testPlatform = tp
		eventually(t, 10*time.Second, "the replica has heard of it", func() bool {
			return below(tp, is, "GET", "/.well-known/openid-configuration", request{}).text("issuer") == issuer(is)
		})
		fresh := login(tp, is).want(t, 200, "").text("token")
		for slug, token := range map[string]string{was: old.text("token"), is: fresh} {
			if got := claimsOf(t, token)["iss"]; got != issuer(slug) {
				t.Errorf("a token is of %v, want %s", got, issuer(slug))
			}
			below(tp, is, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
			tp.do(t, request{method: "GET", path: "/v1/users/me/profile", bearer: token}).want(t, 200, "")
			if err := here.verifies(t, issuer(slug), token); err != nil {
				t.Errorf("by discovery of %s: %v", slug, err)
			}
		}
		login(tp, was).want(t, 404, "not_found")
		below(tp, was, "GET", "/v1/users/me/profile", request{bearer: old.text("token")}).want(t, 404, "not_found")
		below(tp, was, "GET", "/v1/auth/providers", request{}).want(t, 404, "not_found")
	}
	below(two, is, "POST", "/v1/auth/refresh", request{body: jsonBody{"refresh_token": old.text("refresh_token")}}).want(t, 200, "")

	c.advance(66 * time.Minute) // no token of before is alive
	for _, tp := range []*testPlatform{one, two} {
		below(tp, was, "GET", "/.well-known/openid-configuration", request{}).want(t, 404, "not_found")
		below(tp, was, "GET", "/.well-known/jwks.json", request{}).want(t, 404, "not_found")
		below(tp, is, "GET", "/v1/users/me/profile", request{bearer: old.text("token")}).want(t, 401, "unauthenticated")
	}
}
