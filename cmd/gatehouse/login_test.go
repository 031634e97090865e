package main

import (
	"testing"
)

// The main job, end to end: sign in on a tenant's own domain, and be recognised there and nowhere else.
func TestSignInOnAVanityDomain(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	email, id := acme.newUser(t)

	a := acme.login(t, email, goodPassword).want(t, 200, "")
	token := a.text("token")
	if a.text("tenant_id") != acme.id || a.text("refresh_token") == "" || a.text("expires_at") == "" || a.text("refresh_expires_at") == "" {
		t.Errorf("token answer: %s", a.body)
	}
	me := tp.do(t, request{method: "GET", host: acme.host, path: "/v1/users/me/profile", bearer: token}).want(t, 200, "")
	if me.text("id") != id || me.text("email") != email || me.text("auth_provider") != "local" {
		t.Errorf("profile: %s", me.body)
	}
	tp.do(t, request{method: "GET", path: "/v1/users/me/profile", bearer: token}).want(t, 200, "")
	tp.do(t, request{method: "GET", path: "/t/" + acme.slug + "/v1/users/me/profile", bearer: token}).want(t, 200, "")
	tp.do(t, request{method: "GET", host: globex.host, path: "/v1/users/me/profile", bearer: token}).want(t, 403, "tenant_mismatch")
	globex.login(t, email, goodPassword).want(t, 401, "invalid_credentials")
}
