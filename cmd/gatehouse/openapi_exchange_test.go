package main

import "testing"

// exchange makes the operations of applications give all the answers described.
func (d *description) exchange(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	tt.applications(t, appURL)
	_, _, in := tt.signedIn(t)
	by := tt.asUser(in.text("token"))
	asks := jsonBody{"return_url": appURL, "code_challenge": challengeOf(testVerifier)}
	made := d.try(t, tp, by("POST", "/v1/auth/code", asks)).want(t, 201, "")
	redeem := func(host string, body jsonBody) request {
		return request{method: "POST", host: host, path: "/v1/auth/exchange", body: body}
	}
	brings := jsonBody{"code": made.text("return_code"), "return_url": appURL, "code_verifier": testVerifier}
	first := d.try(t, tp, redeem(tt.host, brings)).want(t, 200, "")
	d.hold(t, tp,
		sentence{"nobody registered it", by("POST", "/v1/auth/code", jsonBody{"return_url": "https://evil.example/", "code_challenge": challengeOf(testVerifier)}), 400, "invalid_request"},
		sentence{"nor is this a challenge", by("POST", "/v1/auth/code", jsonBody{"return_url": appURL, "code_challenge": "plain"}), 400, "invalid_request"},
		sentence{"an application makes no codes", tt.asUser(first.text("token"))("POST", "/v1/auth/code", asks), 403, "forbidden"},
		sentence{"and proves nothing more", tt.asUser(first.text("token"))("POST", "/v1/auth/step-up", nil), 403, "forbidden"},
		sentence{"a code is used once", redeem(tt.host, brings), 401, "invalid_token"},
		sentence{"with its verifier", redeem(tt.host, jsonBody{"code": made.text("return_code"), "return_url": "x", "code_verifier": "short"}), 400, "invalid_request"},
		sentence{"what names nobody is no code", redeem("", jsonBody{"code": "x", "return_url": appURL, "code_verifier": testVerifier}), 401, "invalid_token"},
	)
	tt.decree(t, `@notice("Not here.") forbid (principal, action == Action::"exchange", resource);`)
	d.hold(t, tp, sentence{"rules are asked", by("POST", "/v1/auth/code", asks), 403, "policy_denied"})
	demanding := tp.newTenant(t)
	demanding.applications(t, appURL)
	_, _, weak := demanding.signedIn(t)
	demanding.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "all" }).want(t, 200, "")
	d.hold(t, tp, sentence{"a login asks for more by now", demanding.asUser(weak.text("token"))("POST", "/v1/auth/code", asks), 403, "reauthentication_required"})
}
