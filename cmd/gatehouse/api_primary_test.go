package main

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// newHost is another host of the tenant, proved; on is the tenant spoken to there.
func (tt testTenant) newHost(tb testing.TB) (on testTenant, id string) {
	tb.Helper()
	on = tt
	on.host = uniqueName() + ".localhost"
	id = tt.at(tb, "POST", "/v1/domains", request{key: tt.key, body: jsonBody{"domain": on.host}}).want(tb, 201, "").text("id")
	tt.at(tb, "POST", "/v1/domains/"+id+"/verify", request{key: tt.key}).want(tb, 200, "")
	return on, id
}

// givenDomain is the id of the domain that the tenant got with its making.
func (tt testTenant) givenDomain(tb testing.TB) string {
	tb.Helper()
	for _, d := range tt.at(tb, "GET", "/v1/domains", request{key: tt.key}).want(tb, 200, "").data(tb) {
		if d["domain"] == tt.slug+".localhost" {
			return d["id"].(string)
		}
	}
	tb.Fatal("it has none")
	return ""
}

// verifies reports whether a library that knows an issuer and nothing else takes the token.
func (tt testTenant) verifies(tb testing.TB, issuer, token string) error {
	tb.Helper()
	ctx := oidc.ClientContext(tb.Context(), tt.client())
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return err
	}
	_, err = provider.Verifier(&oidc.Config{ClientID: issuer, Now: tt.now}).Verify(ctx, token)
	return err
}

func (tt testTenant) profile(tb testing.TB, token string) int {
	tb.Helper()
	return tt.at(tb, "GET", "/v1/users/me/profile", request{bearer: token}).status
}

// issuerIs waits until a replica has heard of a change.
func (tt testTenant) issuerIs(tb testing.TB, want string) {
	tb.Helper()
	eventually(tb, 10*time.Second, "the issuer at "+tt.host+" is "+want, func() bool {
		return tt.at(tb, "GET", "/.well-known/openid-configuration", request{}).text("issuer") == want
	})
}

func TestAChangeOfThePrimaryDomainKeepsTokensGood(t *testing.T) {
	t.Parallel()
	c := &clock{began: time.Now()}
	in := tenancytest.Install(t)
	one := startOn(t, in, c.runs) // the change is made here
	two := startOn(t, in, func(cfg *config) { c.runs(cfg); cfg.Address = one.config.Address })
	tt := one.newTenant(t)
	email, _ := tt.newUser(t)
	old := tt.login(t, email, goodPassword).want(t, 200, "")
	vanity, id := tt.newHost(t)
	tt.issuerIs(t, tt.issuer())
	vanity.issuerIs(t, tt.issuer())

	moved := tt.at(t, "POST", "/v1/domains/"+id+"/primary", request{key: tt.key}).want(t, 200, "").wantMembers(t, "", domainMembers)
	if moved.field("primary") != true {
		t.Errorf("moved: %s", moved.body)
	}
	tt.at(t, "POST", "/v1/domains/"+id+"/primary", request{key: tt.key}).want(t, 200, "") // it is already
	for _, tp := range []*testPlatform{one, two} {
		here, there := tt, vanity
		here.testPlatform, there.testPlatform = tp, tp
		there.issuerIs(t, vanity.issuer())
		here.issuerIs(t, tt.issuer()) // which old tokens are verified by
		for what, m := range map[string]answer{
			"below the shared host": tp.do(t, request{method: http.MethodGet, path: "/t/" + tt.slug + "/.well-known/openid-configuration"}),
			"on the new host":       there.at(t, "GET", "/.well-known/openid-configuration", request{}),
		} {
			if m.text("issuer") != vanity.issuer() || m.text("jwks_uri") != vanity.issuer()+"/.well-known/jwks.json" {
				t.Errorf("%s: %s", what, m.body)
			}
		}
		var fresh string // this replica may know the old host's record from before, until it hears of the change
		eventually(t, 20*time.Second, "a new token is of the new host", func() bool {
			fresh = here.login(t, email, goodPassword).want(t, 200, "").text("token")
			return claimsOf(t, fresh)["iss"] == vanity.issuer()
		})
		for _, token := range []string{old.text("token"), fresh} {
			if a, b := here.profile(t, token), there.profile(t, token); a != 200 || b != 200 {
				t.Errorf("a token of %v: %d at the old host, %d at the new", claimsOf(t, token)["iss"], a, b)
			}
			if err := here.verifies(t, claimsOf(t, token)["iss"].(string), token); err != nil {
				t.Errorf("by discovery: %v", err)
			}
		}
	}
	next := vanity.at(t, "POST", "/v1/auth/refresh", request{body: jsonBody{"refresh_token": old.text("refresh_token")}}).want(t, 200, "")
	if claimsOf(t, next.text("token"))["iss"] != vanity.issuer() {
		t.Errorf("a refreshed token is of %v", claimsOf(t, next.text("token"))["iss"])
	}
	entries := tt.events(t, url.Values{"action": {"domain.made_primary"}})
	if len(entries) != 1 || entries[0]["resource_id"] != id || entries[0]["metadata"].(map[string]any)["was"] != tt.host {
		t.Errorf("the log says %v", entries)
	}

	c.advance(66 * time.Minute) // no token of before is alive: there is one issuer again
	if got := vanity.profile(t, old.text("token")); got != 401 {
		t.Errorf("an old token an hour later: %d", got)
	}
	tt.issuerIs(t, vanity.issuer())
}

// The host of the former issuer is gone, and so is discovery there; at the service its tokens are good.
func TestTokensOutliveTheRemovalOfTheirIssuersDomain(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	old := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	vanity, id := tt.newHost(t)
	tt.at(t, "DELETE", "/v1/domains/"+tt.givenDomain(t), request{key: tt.key}).want(t, 204, "")
	vanity.issuerIs(t, vanity.issuer())
	if got := vanity.profile(t, old); got != 200 {
		t.Errorf("at the next host: %d", got)
	}
	eventually(t, 10*time.Second, "the old host is nobody's", func() bool {
		return tt.at(t, "GET", "/.well-known/jwks.json", request{}).status == 404
	})
	fresh := vanity.login(t, email, goodPassword).want(t, 200, "").text("token")
	vanity.at(t, "DELETE", "/v1/domains/"+id, request{key: tt.key}).want(t, 204, "")
	slug := tt.url + "/t/" + tt.slug
	below := func(path string, rq request) answer {
		rq.method, rq.path = "GET", "/t/"+tt.slug+path
		return tt.do(t, rq)
	}
	eventually(t, 10*time.Second, "the issuer is the slug's", func() bool { return below("/.well-known/openid-configuration", request{}).text("issuer") == slug })
	for _, token := range []string{old, fresh} {
		if got := below("/v1/users/me/profile", request{bearer: token}).status; got != 200 {
			t.Errorf("a token of %v on the shared host: %d", claimsOf(t, token)["iss"], got)
		}
	}
	// And the other way: from the slug to a domain. /t/{slug} speaks of itself as long as tokens of it may be alive.
	last := tt.do(t, request{method: "POST", path: "/v1/auth/login", body: jsonBody{"email": email, "password": goodPassword, "tenant_slug": tt.slug}}).want(t, 200, "").text("token")
	back := tt.do(t, request{method: "POST", path: "/t/" + tt.slug + "/v1/domains", key: tt.key, body: jsonBody{"domain": vanity.host}}).want(t, 201, "").text("id")
	tt.do(t, request{method: "POST", path: "/t/" + tt.slug + "/v1/domains/" + back + "/verify", key: tt.key}).want(t, 200, "")
	vanity.issuerIs(t, vanity.issuer())
	for _, token := range []string{last, fresh, vanity.login(t, email, goodPassword).want(t, 200, "").text("token")} {
		if err := tt.verifies(t, claimsOf(t, token)["iss"].(string), token); err != nil || vanity.profile(t, token) != 200 {
			t.Errorf("a token of %v: %v, %d", claimsOf(t, token)["iss"], err, vanity.profile(t, token))
		}
	}
}

func TestPasskeysSurviveAChangeOfThePrimaryDomain(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	vanity, id := tt.newHost(t)
	tt.at(t, "POST", "/v1/domains/"+id+"/primary", request{key: tt.key}).want(t, 200, "")
	vanity.issuerIs(t, vanity.issuer())
	for _, on := range []testTenant{tt, vanity} {
		there := func(c *claim) { c.origin = tt.origin(on.host) }
		challenge, options := on.passkey(t)
		on.completePasskey(t, challenge, u.sign(t, options, there)).want(t, 200, "")
		asked := on.login(t, u.email, goodPassword).want(t, 200, "").text("challenge_id")
		options = on.begin(t, asked).want(t, 200, "").field("options")
		on.complete(t, asked, u.sign(t, options, there)).want(t, 200, "")
	}
	related := tt.at(t, "GET", "/.well-known/webauthn", request{}).want(t, 200, "")
	if !slices.Contains(related.field("origins").([]any), any(tt.origin(vanity.host))) {
		t.Errorf("related origins: %s", related.body)
	}
}
