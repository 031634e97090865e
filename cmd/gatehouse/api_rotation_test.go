package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// replicas starts two platforms on one installation, which say the same of themselves and have one clock.
func replicas(t *testing.T) (c *clock, both [2]*testPlatform) {
	t.Helper()
	c = &clock{began: time.Now()}
	in := tenancytest.Install(t)
	both[0] = startOn(t, in, c.runs)
	both[1] = startOn(t, in, func(cfg *config) { c.runs(cfg); cfg.Address = both[0].config.Address })
	return c, both
}

// cachingVerifier verifies access tokens as a back end does that knows nothing but the public keys, and asks for them again
// only when it may keep them no longer: not even where it does not know the key of a token.
type cachingVerifier struct {
	clock *clock
	keys  audit.Keys
	until time.Time
}

func (v *cachingVerifier) verify(t *testing.T, from testTenant, token string) error {
	t.Helper()
	if !v.clock.now().Before(v.until) {
		a := from.do(t, request{method: "GET", host: from.host, path: "/.well-known/jwks.json"}).want(t, 200, "")
		if a.header.Get("Cache-Control") != "public, max-age=300" {
			t.Fatalf("keys may be kept: %s", a.header.Get("Cache-Control"))
		}
		keys, err := audit.ParseKeys(a.body)
		if err != nil {
			t.Fatal(err)
		}
		v.keys, v.until = keys, v.clock.now().Add(300*time.Second)
	}
	_, err := jwt.Parse(token, func(token *jwt.Token) (any, error) {
		key, ok := v.keys[token.Header["kid"].(string)]
		if !ok || token.Method.Alg() != string(key.Algorithm) {
			return nil, jwt.ErrTokenUnverifiable
		}
		return key.Key, nil
	}, jwt.WithTimeFunc(v.clock.now))
	return err
}

// While a key is rotated, to another algorithm and back, tokens are minted at both replicas and shown to verifiers and to both
// replicas until they expire. None is ever refused.
func TestNoValidTokenIsRefusedDuringARotation(t *testing.T) {
	t.Parallel()
	c, both := replicas(t)
	first := both[0].newTenant(t)
	at := func() testTenant {
		tt := first
		tt.testPlatform = both[rand.IntN(2)]
		return tt
	}
	first.settings(t, func(s map[string]any) { s["tokens"].(map[string]any)["access_seconds"] = 3600 }).want(t, 200, "") // as long as they may live
	email, _ := first.newUser(t)
	refresh := first.login(t, email, goodPassword).want(t, 200, "").text("refresh_token")

	verifiers := [3]cachingVerifier{{clock: c}, {clock: c}, {clock: c}}
	type minted struct {
		token   string
		expires time.Time
	}
	var live []minted
	signed := map[string]bool{}
	tick := func() {
		c.advance(time.Duration(20+rand.IntN(60)) * time.Second)
		if rand.IntN(2) == 0 { // else the replicas come to it by themselves, or later
			if err := both[rand.IntN(2)].rotator.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a := at().do(t, request{method: "POST", host: first.host, path: "/v1/auth/refresh", body: map[string]any{"refresh_token": refresh}}).want(t, 200, "")
		refresh = a.text("refresh_token")
		signed[segment(t, a.text("token"), 0)["alg"].(string)] = true
		live = append(live, minted{a.text("token"), time.Unix(int64(claimsOf(t, a.text("token"))["exp"].(float64)), 0)})
		for len(live) > 0 && !c.now().Before(live[0].expires) {
			live = live[1:]
		}
		for _, m := range live {
			for i := range verifiers {
				if err := verifiers[i].verify(t, at(), m.token); err != nil {
					t.Fatalf("verifier %d refused a token of %v: %v\n%s", i, segment(t, m.token, 0), err, at().keyStates(t))
				}
			}
		}
		for _, m := range []minted{live[0], live[len(live)-1]} {
			at().do(t, request{method: "GET", host: first.host, path: "/v1/users/me/profile", bearer: m.token}).want(t, 200, "")
		}
	}
	for _, alg := range []string{"EdDSA", "ES256"} {
		at().do(t, request{method: "POST", path: "/v1/tenants/" + first.id + "/keys/rotate", key: first.platformKey,
			body: map[string]any{"algorithm": alg}}).want(t, 202, "")
		for began := c.now(); c.now().Before(began.Add(90 * time.Minute)); {
			tick()
		}
	}
	if !signed["ES256"] || !signed["EdDSA"] {
		t.Errorf("tokens were signed with %v", signed)
	}
	if got := at().keyStates(t); got[0] != "retired" || got[len(got)-1] != "active" {
		t.Errorf("in the end the keys are %v", got)
	}
}

// keyStates are the states of a tenant's keys, oldest first.
func (tt testTenant) keyStates(t *testing.T) (states []string) {
	t.Helper()
	a := tt.do(t, request{method: "GET", path: "/v1/tenants/" + tt.id + "/keys", key: tt.platformKey}).want(t, 200, "")
	for _, k := range a.data(t) {
		states = append(states, k["state"].(string))
	}
	return states
}

// A revoked key is dead at both replicas as soon as they hear, sessions go on, and both logs say so.
func TestARevokedKeySignsNobodyIn(t *testing.T) {
	t.Parallel()
	_, both := replicas(t)
	tt := both[0].newTenant(t)
	there := tt
	there.testPlatform = both[1]
	email, _ := tt.newUser(t)
	session := tt.login(t, email, goodPassword).want(t, 200, "")
	me := func(token string) request {
		return request{method: "GET", host: tt.host, path: "/v1/users/me/profile", bearer: token}
	}
	there.do(t, me(session.text("token"))).want(t, 200, "")

	keys := "/v1/tenants/" + tt.id + "/keys"
	kid := segment(t, session.text("token"), 0)["kid"].(string)
	tt.do(t, request{method: "POST", path: keys + "/" + kid + "/revoke", key: tt.platformKey}).want(t, 200, "")
	tt.do(t, me(session.text("token"))).want(t, 401, "unauthenticated")
	eventually(t, 20*time.Second, "the other replica refuses it", func() bool { return there.do(t, me(session.text("token"))).status == 401 })
	var jwks struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(there.do(t, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}).body, &jwks); err != nil || len(jwks.Keys) != 1 || jwks.Keys[0].Kid == kid {
		t.Errorf("the public keys are %+v, %v", jwks, err)
	}
	next := there.do(t, request{method: "POST", host: tt.host, path: "/v1/auth/refresh", body: map[string]any{"refresh_token": session.text("refresh_token")}}).want(t, 200, "")
	tt.do(t, me(next.text("token"))).want(t, 200, "")

	own := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log?action=signing_key.revoked", key: tt.key}).want(t, 200, "").data(t)
	if len(own) != 1 || own[0]["resource_id"] != kid || own[0]["actor_type"] != string(tenancy.ByPlatform) || own[0]["actor_id"] != nil {
		t.Errorf("its own log says %v", own)
	}
	for _, e := range tt.events(t, url.Values{"resource_type": {"signing_key"}}) {
		if metadata := e["metadata"].(map[string]any); metadata["network"] != nil || metadata["request_id"] != nil {
			t.Errorf("its own log says where the platform's people are: %v", e)
		}
	}
	platforms := both[0].platformTenant(t)
	eventually(t, 20*time.Second, "the platform's log tells who asked", func() bool {
		told := platforms.do(t, request{method: "GET", host: platforms.host, path: "/v1/audit-log?action=signing_key.revoke_requested&resource_id=" + tt.id, key: tt.platformKey}).want(t, 200, "").data(t)
		return len(told) == 1 && told[0]["actor_id"] != nil
	})
}
