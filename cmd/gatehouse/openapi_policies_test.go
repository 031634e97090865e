package main

import (
	"strings"
	"testing"
)

// policies makes the operations on policies, and those that policies decide about, give all the answers described.
func (d *description) policies(t *testing.T, tp *testPlatform) {
	t.Run("written", func(t *testing.T) { t.Parallel(); d.policiesWritten(t, tp.newTenant(t)) })
	t.Run("supposed", func(t *testing.T) { t.Parallel(); d.policiesSupposed(t, tp.newTenant(t)) })
	t.Run("deciding", func(t *testing.T) { t.Parallel(); d.policiesDeciding(t, tp.newTenant(t)) })
	t.Run("of factors", func(t *testing.T) { t.Parallel(); d.policiesOfFactors(t, tp.newTenant(t)) })
}

func (d *description) policiesWritten(t *testing.T, tt testTenant) {
	by := asKey(tt.host, tt.key)
	token, _ := tt.signIn(t, "admin")
	as := tt.asUser(token)
	const rule = `forbid (principal, action == Action::"login", resource) when { context.hour == 25 };`
	const shut = `@notice("Closed.") forbid (principal, action, resource);`
	p := d.try(t, tt.testPlatform, by("POST", "/v1/policies", jsonBody{"name": "P", "description": "What for.", "priority": 3, "cedar_policy_set": rule + rule})).want(t, 201, "")
	path := "/v1/policies/" + p.text("id")
	d.try(t, tt.testPlatform, by("PUT", path, string(p.body))).want(t, 200, "") // as it was answered
	r := d.try(t, tt.testPlatform, by("POST", path+"/rules", jsonBody{"policy_text": rule})).want(t, 201, "")
	many := strings.Repeat(rule, 1001)
	again := func(rq request) request { rq.header = map[string]string{"Idempotency-Key": "k-" + rq.path}; return rq }
	d.hold(t, tt.testPlatform,
		sentence{"a page of policies", by("GET", "/v1/policies?limit=1", nil), 200, ""},
		sentence{"a policy", by("GET", path, nil), 200, ""},
		sentence{"the schema", by("GET", "/v1/policies/schema", nil), 200, ""},
		sentence{"a policy is changed", by("PUT", path, jsonBody{"name": "Q", "mode": "enforce"}), 200, ""},
		sentence{"a mode that is none", by("PUT", path, jsonBody{"name": "Q", "mode": "perhaps"}), 400, "invalid_request"},
		sentence{"a text that is no Cedar", by("POST", "/v1/policies", jsonBody{"name": "P", "cedar_policy_set": "permit everything"}), 400, "invalid_request"},
		sentence{"and in a change", by("PUT", path, jsonBody{"name": "P", "rules": []jsonBody{{"policy_text": "permit"}}}), 400, "invalid_request"},
		sentence{"a policy in parts", by("POST", "/v1/policies", jsonBody{"name": "R", "rules": []jsonBody{{"effect": "permit", "notice": "Hello.", "conditions": "context.hour == 25"}}}), 201, ""},
		sentence{"too many rules at once", by("POST", "/v1/policies", jsonBody{"name": "M", "cedar_policy_set": many}), 409, "too_many_rules"},
		sentence{"too many in a change", by("PUT", path, jsonBody{"name": "M", "cedar_policy_set": many}), 409, "too_many_rules"},
		sentence{"who would shut themselves out", as("POST", "/v1/policies", jsonBody{"name": "S", "cedar_policy_set": shut}), 409, "would_lock_out"},
		sentence{"by a change", as("PUT", path, jsonBody{"name": "S", "cedar_policy_set": shut}), 409, "would_lock_out"},
		sentence{"by a rule more", as("POST", path+"/rules", jsonBody{"policy_text": shut}), 409, "would_lock_out"},
		sentence{"by another rule", as("PUT", path+"/rules/"+r.text("id"), jsonBody{"policy_text": shut}), 409, "would_lock_out"},
		sentence{"without the default", as("DELETE", "/v1/policies/00000000-0000-7000-8000-000000000001", nil), 409, "would_lock_out"},
		sentence{"without its rules", as("DELETE", "/v1/policies/00000000-0000-7000-8000-000000000001/rules/00000000-0000-7000-8000-000000000002", nil), 409, "would_lock_out"},
		sentence{"a key that was used", again(by("POST", "/v1/policies", jsonBody{"name": "P1"})), 201, ""},
		sentence{"with another body", again(by("POST", "/v1/policies", jsonBody{"name": "P2"})), 409, "idempotency_conflict"},
		sentence{"a rule's key", again(by("POST", path+"/rules", jsonBody{"effect": "permit", "conditions": "context.hour == 25"})), 201, ""},
		sentence{"with another rule", again(by("POST", path+"/rules", jsonBody{"effect": "forbid"})), 409, "idempotency_conflict"},
		sentence{"a page of rules", by("GET", path+"/rules?limit=1", nil), 200, ""},
		sentence{"a rule", by("GET", path+"/rules/"+r.text("id"), nil), 200, ""},
		sentence{"a rule of nobody", by("GET", path+"/rules/"+p.text("id"), nil), 404, "not_found"},
		sentence{"a rule is changed", by("PUT", path+"/rules/"+r.text("id"), jsonBody{"effect": "permit", "action_scope_type": "eq", "action_ids": []string{"login"}}), 200, ""},
		sentence{"by what Cedar is not", by("PUT", path+"/rules/"+r.text("id"), jsonBody{"effect": "permit", "conditions": "context."}), 400, "invalid_request"},
		sentence{"a rule of neither form", by("POST", path+"/rules", jsonBody{"effect": "perhaps"}), 400, "invalid_request"},
		sentence{"a rule is deleted", by("DELETE", path+"/rules/"+r.text("id"), nil), 204, ""},
		sentence{"a bad cursor", by("GET", path+"/rules?cursor=x", nil), 400, "invalid_request"},
		sentence{"and of policies", by("GET", "/v1/policies?limit=0", nil), 400, "invalid_request"},
	)
	// Up to a thousand rules there is room, one by one, too.
	full := d.try(t, tt.testPlatform, by("PUT", path, jsonBody{"name": "Full", "cedar_policy_set": strings.Repeat(rule, 996)})).want(t, 200, "")
	if n := len(full.field("rules").([]any)); n != 996 {
		t.Errorf("%d rules", n)
	}
	for range 3 {
		tt.do(t, by("POST", path+"/rules", jsonBody{"policy_text": rule}))
	}
	d.hold(t, tt.testPlatform,
		sentence{"one rule too many", by("POST", path+"/rules", jsonBody{"policy_text": rule}), 409, "too_many_rules"},
		sentence{"one too long", by("PUT", path, jsonBody{"name": "Long", "cedar_policy_set": strings.Repeat(strings.Replace(rule, "25", strings.Repeat("1 + ", 100)+"1", 1), 900)}), 409, "too_many_rules"},
	)
	wide := strings.Replace(rule, "25", strings.Repeat("1 + ", 1990)+"1", 1) // all but 8 KiB
	long := d.try(t, tt.testPlatform, by("PUT", path, jsonBody{"name": "Long", "cedar_policy_set": strings.Repeat(wide, 32) + rule})).want(t, 200, "")
	last := long.field("rules").([]any)[32].(map[string]any)["id"].(string)
	d.hold(t, tt.testPlatform,
		sentence{"a rule that grows too long", by("PUT", path+"/rules/"+last, jsonBody{"policy_text": wide}), 409, "too_many_rules"},
		sentence{"a policy is deleted", by("DELETE", path, nil), 204, ""},
	)
}

func (d *description) policiesSupposed(t *testing.T, tt testTenant) {
	by := asKey(tt.host, tt.key)
	email, _ := tt.newUser(t)
	tt.login(t, email, goodPassword).want(t, 200, "")
	p := tt.decree(t, officeOnly)
	ask := func(body jsonBody) request { return by("POST", "/v1/policies/simulate", body) }
	d.hold(t, tt.testPlatform,
		sentence{"a request as things are", ask(jsonBody{"request": jsonBody{"email": email}}), 200, ""},
		sentence{"a draft and the past", ask(jsonBody{"cedar_policy_set": officeOnly, "request": jsonBody{"email": email, "ip": "127.0.9.1"}, "history": jsonBody{"days": 7}}), 200, ""},
		sentence{"a policy there is", ask(jsonBody{"policy_id": p, "history": jsonBody{"days": 90}}), 200, ""},
		sentence{"a policy there is not", ask(jsonBody{"policy_id": "019c27b8-854b-7bcf-856f-667b6f02afb4", "history": jsonBody{"days": 1}}), 404, "not_found"},
		sentence{"nothing", ask(jsonBody{}), 400, "invalid_request"},
		sentence{"what is no Cedar", ask(jsonBody{"cedar_policy_set": "permit", "history": jsonBody{"days": 1}}), 400, "invalid_request"},
		sentence{"of nobody", ask(jsonBody{"request": jsonBody{"email": "nobody@people.example"}}), 400, "invalid_request"},
	)
}

func (d *description) policiesDeciding(t *testing.T, tt testTenant) {
	demanded, keyed := tt.enrolledUser(t), tt.keyedUser(t, "webauthn_passkey")
	plain, _ := tt.newUser(t)
	another, _ := tt.newUser(t)
	third := tt.enrolledUser(t)
	refreshed := tt.prove(t, third.challenge(t), "totp", third.app.code(t, 1)).want(t, 200, "").text("refresh_token")
	tt.demandMFA(t)
	tt.decree(t, officeOnly)
	elsewhere := func(path string, body jsonBody) request {
		return request{method: "POST", host: tt.host, path: path, body: body}
	}
	office := func(path string, body jsonBody) answer {
		rq := elsewhere(path, body)
		rq.from = atTheOffice
		return tt.do(t, rq).want(t, 200, "")
	}
	challenge := func(email string) string {
		return tt.loginAt(t, atTheOffice, email, goodPassword).want(t, 200, "").text("challenge_id")
	}
	const denied = "policy_denied"
	coded, asserted, app, key := challenge(demanded.email), challenge(keyed.email), challenge(plain), challenge(another)
	options := office("/v1/auth/mfa/webauthn/begin", jsonBody{"challenge_id": asserted}).field("options")
	secret := newApp(office("/v1/auth/mfa/enroll-via-challenge", jsonBody{"challenge_id": app, "action": "generate"}).text("secret"))
	fresh := tt.newAuthenticator("webauthn_passkey")
	made := fresh.make(t, office("/v1/auth/mfa/enroll-via-challenge/webauthn/begin", jsonBody{"challenge_id": key, "method_type": "webauthn_passkey"}).field("options"))
	discovered, asked := tt.passkey(t)
	d.hold(t, tt.testPlatform,
		sentence{"a password elsewhere", elsewhere("/v1/auth/login", jsonBody{"email": plain, "password": goodPassword}), 403, denied},
		sentence{"a code elsewhere", elsewhere("/v1/auth/mfa/challenge", jsonBody{"challenge_id": coded, "code": demanded.app.code(t, 1)}), 403, denied},
		sentence{"a key elsewhere", elsewhere("/v1/auth/mfa/webauthn/complete", jsonBody{"challenge_id": asserted, "credential": keyed.sign(t, options, nil)}), 403, denied},
		sentence{"an app set up elsewhere", elsewhere("/v1/auth/mfa/enroll-via-challenge", jsonBody{"challenge_id": app, "action": "verify", "code": secret.code(t, 0)}), 403, denied},
		sentence{"a key set up elsewhere", elsewhere("/v1/auth/mfa/enroll-via-challenge/webauthn/complete", jsonBody{"challenge_id": key, "credential": made, "device_name": "K"}), 403, denied},
		sentence{"a passkey elsewhere", elsewhere("/v1/auth/passkey/complete", jsonBody{"challenge_id": discovered, "credential": keyed.sign(t, asked, nil)}), 403, denied},
		sentence{"a session elsewhere", elsewhere("/v1/auth/refresh", jsonBody{"refresh_token": refreshed}), 403, "policy_denied"},
	)
}

func (d *description) policiesOfFactors(t *testing.T, tt testTenant) {
	u := tt.enrolledUser(t)
	owed := u.challenge(t)
	token := tt.prove(t, owed, "totp", u.app.code(t, 1)).want(t, 200, "").text("token")
	plain, _ := tt.signIn(t)
	fresh := tt.newAuthenticator("webauthn_fido")
	options := tt.post(t, "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", plain, nil).want(t, 200, "").field("options")
	tt.decree(t, `forbid (principal, action in [Action::"enroll_factor", Action::"step_up"], resource);`)
	as := tt.asUser(plain)
	d.hold(t, tt.testPlatform,
		sentence{"no step up", tt.asUser(token)("POST", "/v1/auth/step-up", nil), 403, "policy_denied"},
		sentence{"no app", as("POST", "/v1/users/me/mfa/totp", nil), 403, "policy_denied"},
		sentence{"no key", as("POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", nil), 403, "policy_denied"},
		sentence{"nor one that was begun", as("POST", "/v1/users/me/mfa/webauthn/register/complete", jsonBody{"credential": fresh.make(t, options), "device_name": "K", "method_type": "webauthn_fido"}), 403, "policy_denied"},
	)
}
