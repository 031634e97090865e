package main

import (
	"testing"
)

// factors makes the operations on second factors give all the answers described.
func (d *description) factors(t *testing.T, tp *testPlatform) {
	for name, part := range map[string]func(*testing.T, testTenant){
		"codes": d.codes, "keys": d.keys, "enrolment": d.enrolment, "passkeys": d.passkeys, "a tenant that offers none": d.noFactors,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); part(t, tp.newTenant(t)) })
	}
}

// asUser makes requests at the tenant's host, with an access token or, where it is empty, with none.
func (tt testTenant) asUser(token string) func(method, path string, body any) request {
	return func(method, path string, body any) request {
		return request{method: method, host: tt.host, path: path, bearer: token, body: body}
	}
}

// block makes a user wait an hour for their next try.
func (tt testTenant) block(t *testing.T, user string) {
	t.Helper()
	tt.exec(t, `insert into factor_failures (user_id, failures, consecutive, last_at, blocked_until) values ($1, 9, 9, now(), now() + interval '1 hour')
		on conflict (user_id) do update set blocked_until = excluded.blocked_until`, user)
}

func (d *description) codes(t *testing.T, tt testTenant) {
	email, id := tt.newUser(t)
	login := tt.asUser("")("POST", "/v1/auth/login", jsonBody{"email": email, "password": goodPassword})
	plain := d.try(t, tt.testPlatform, login).want(t, 200, "").text("token")
	by := tt.asUser(plain)
	old, _ := tt.signIn(t)
	d.age(t, tt, old)
	late := tt.asUser(old)
	d.hold(t, tt.testPlatform,
		sentence{"there is nothing to step up with", by("POST", "/v1/auth/step-up", nil), 409, "no_factor"},
		sentence{"codes stand beside a factor", by("POST", "/v1/users/me/mfa/backup-codes", nil), 409, "no_factor"},
		sentence{"nothing is there to confirm", by("POST", "/v1/users/me/mfa/totp/verify", jsonBody{"code": "000000"}), 400, "invalid_code"},
		sentence{"enrolling wants a fresh login", late("POST", "/v1/users/me/mfa/totp", nil), 403, "reauthentication_required"},
		sentence{"confirming does", late("POST", "/v1/users/me/mfa/totp/verify", jsonBody{"code": "000000"}), 403, "reauthentication_required"},
		sentence{"new codes do", late("POST", "/v1/users/me/mfa/backup-codes", nil), 403, "reauthentication_required"},
		sentence{"removing does", late("DELETE", "/v1/users/me/mfa/"+id, nil), 403, "reauthentication_required"},
		sentence{"a passkey does", late("POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_passkey", nil), 403, "reauthentication_required"},
		sentence{"to its end", late("POST", "/v1/users/me/mfa/webauthn/register/complete", jsonBody{"credential": jsonBody{}, "method_type": "webauthn_fido"}), 403, "reauthentication_required"},
	)
	app := newApp(d.try(t, tt.testPlatform, by("POST", "/v1/users/me/mfa/totp", nil)).want(t, 201, "").text("secret"))
	d.hold(t, tt.testPlatform,
		sentence{"factors are listed before they are confirmed", by("GET", "/v1/users/me/mfa", nil), 200, ""},
		sentence{"an app is confirmed", by("POST", "/v1/users/me/mfa/totp/verify", jsonBody{"code": app.code(t, 0)}), 200, ""},
	)
	challenge := func() string { return d.try(t, tt.testPlatform, login).want(t, 200, "").text("challenge_id") }
	answer := func(challenge, code string) request {
		return tt.asUser("")("POST", "/v1/auth/mfa/challenge", jsonBody{"challenge_id": challenge, "code": code})
	}
	first := challenge()
	d.hold(t, tt.testPlatform, sentence{"a wrong code", answer(first, "000000"), 401, "invalid_code"})
	by = tt.asUser(d.try(t, tt.testPlatform, answer(first, app.code(t, 1))).want(t, 200, "").text("token"))
	codes := d.try(t, tt.testPlatform, by("POST", "/v1/users/me/mfa/backup-codes", nil)).want(t, 200, "").field("codes").([]any)
	backup := answer(challenge(), codes[0].(string))
	backup.body.(jsonBody)["method"] = "backup_code"
	factor := d.try(t, tt.testPlatform, by("GET", "/v1/users/me/mfa", nil)).want(t, 200, "").field("methods").([]any)[0].(map[string]any)["id"].(string)
	d.hold(t, tt.testPlatform,
		sentence{"a challenge is used once", answer(first, app.code(t, 2)), 401, "challenge_expired"},
		sentence{"a backup code is a code", backup, 200, ""},
		sentence{"one app is enough", by("POST", "/v1/users/me/mfa/totp", nil), 409, "already_enrolled"},
		sentence{"a session is stepped up", by("POST", "/v1/auth/step-up", nil), 200, ""},
	)
	tt.demandMFA(t)
	d.hold(t, tt.testPlatform, sentence{"the last one stays", by("DELETE", "/v1/users/me/mfa/"+factor, nil), 409, "last_factor"})
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "optional" }).want(t, 200, "")
	waits := challenge()
	tt.block(t, id)
	d.hold(t, tt.testPlatform,
		sentence{"too many wrong ones", answer(waits, "000000"), 429, "rate_limited"},
		sentence{"a factor is removed", by("DELETE", "/v1/users/me/mfa/"+factor, nil), 204, ""},
		sentence{"factors are reset", asKey(tt.host, tt.key)("POST", "/v1/users/"+id+"/reset-mfa", nil), 204, ""},
	)
	tt.exec(t, `update users set is_owner = true where id = $1`, id)
	d.hold(t, tt.testPlatform, sentence{"not the owner's", asKey(tt.host, tt.key)("POST", "/v1/users/"+id+"/reset-mfa", nil), 409, "owner_protected"})
}

func (d *description) keys(t *testing.T, tt testTenant) {
	email, id := tt.newUser(t)
	k := tt.newAuthenticator("webauthn_fido")
	by := tt.asUser(tt.login(t, email, goodPassword).text("token"))
	register := func(by func(string, string, any) request) request {
		return by("POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", nil)
	}
	add := func(by func(string, string, any) request, credential any) request {
		return by("POST", "/v1/users/me/mfa/webauthn/register/complete", jsonBody{"credential": credential, "device_name": "Key", "method_type": "webauthn_fido"})
	}
	created := k.make(t, d.try(t, tt.testPlatform, register(by)).want(t, 200, "").field("options"))
	d.hold(t, tt.testPlatform,
		sentence{"what was not asked for", add(by, jsonBody{}), 400, "invalid_credential"},
		sentence{"what was", add(by, created), 200, ""},
	)
	u := keyed{k, email, id}
	public := tt.asUser("")
	begin := func(challenge string) request {
		return public("POST", "/v1/auth/mfa/webauthn/begin", jsonBody{"challenge_id": challenge})
	}
	complete := func(challenge string, credential any) request {
		return public("POST", "/v1/auth/mfa/webauthn/complete", jsonBody{"challenge_id": challenge, "credential": credential})
	}
	challenge := u.login(t, email, goodPassword).text("challenge_id")
	options := d.try(t, tt.testPlatform, begin(challenge)).want(t, 200, "").field("options")
	d.hold(t, tt.testPlatform, sentence{"a wrong answer", complete(challenge, jsonBody{}), 401, "invalid_credential"})
	by = tt.asUser(d.try(t, tt.testPlatform, complete(challenge, u.sign(t, options, nil))).want(t, 200, "").text("token"))
	d.hold(t, tt.testPlatform,
		sentence{"a challenge is used once", complete(challenge, u.sign(t, options, nil)), 401, "challenge_expired"},
		sentence{"and asks for nothing then", begin(challenge), 401, "challenge_expired"},
		sentence{"another key may be added", register(by), 200, ""},
		sentence{"hosts are related", public("GET", "/.well-known/webauthn", nil), 200, ""},
	)
	last := tt.newAuthenticator("webauthn_fido")
	created = last.make(t, d.try(t, tt.testPlatform, register(by)).want(t, 200, "").field("options"))
	tt.exec(t, `insert into factors (id, user_id, method_type, device_name, created_at, confirmed_at, credential_id, credential, rp_id)
		select gen_random_uuid(), user_id, method_type, device_name, created_at, confirmed_at, decode(lpad(to_hex(n), 8, '0'), 'hex'), credential, rp_id
		from factors, generate_series(1, 19) n where user_id = $1`, id)
	d.hold(t, tt.testPlatform,
		sentence{"twenty are enough", add(by, created), 409, "too_many_factors"},
		sentence{"and more are not asked for", register(by), 409, "too_many_factors"},
	)
	challenge = u.login(t, email, goodPassword).text("challenge_id")
	tt.exec(t, `update factors set rp_id = 'gone.example' where user_id = $1`, id)
	d.hold(t, tt.testPlatform, sentence{"none of them works here", begin(challenge), 409, "no_factor"})
	tt.block(t, id)
	d.hold(t, tt.testPlatform, sentence{"too many wrong ones", complete(challenge, jsonBody{}), 429, "rate_limited"})
}

func (d *description) enrolment(t *testing.T, tt testTenant) {
	tt.demandMFA(t)
	public := tt.asUser("")
	byApp := func(challenge, action, code string) request {
		return public("POST", "/v1/auth/mfa/enroll-via-challenge", jsonBody{"challenge_id": challenge, "action": action, "code": code})
	}
	begin := func(challenge string) request {
		return public("POST", "/v1/auth/mfa/enroll-via-challenge/webauthn/begin", jsonBody{"challenge_id": challenge, "method_type": "webauthn_passkey"})
	}
	complete := func(challenge string, credential any) request {
		return public("POST", "/v1/auth/mfa/enroll-via-challenge/webauthn/complete", jsonBody{"challenge_id": challenge, "credential": credential, "device_name": nil})
	}
	owed := func(email string) string {
		login := public("POST", "/v1/auth/login", jsonBody{"email": email, "password": goodPassword})
		return d.try(t, tt.testPlatform, login).want(t, 200, "").text("challenge_id")
	}
	email, id := tt.newUser(t)
	first, second, third := owed(email), owed(email), owed(email)
	app := newApp(d.try(t, tt.testPlatform, byApp(first, "generate", "-")).want(t, 200, "").text("secret"))
	k := tt.newAuthenticator("webauthn_passkey")
	created := k.make(t, d.try(t, tt.testPlatform, begin(second)).want(t, 200, "").field("options"))
	d.hold(t, tt.testPlatform,
		sentence{"a wrong code", byApp(first, "verify", "000000"), 400, "invalid_code"},
		sentence{"a wrong key", complete(second, jsonBody{}), 400, "invalid_credential"},
		sentence{"a challenge nobody owes", byApp(email, "generate", "-"), 401, "challenge_expired"},
		sentence{"nor with a key", begin(email), 401, "challenge_expired"},
		sentence{"nor to its end", complete(email, created), 401, "challenge_expired"},
		sentence{"an app is enrolled", byApp(first, "verify", app.code(t, 0)), 200, ""},
		sentence{"then no other app", byApp(second, "generate", "-"), 409, "already_enrolled"},
		sentence{"and no key", begin(second), 409, "already_enrolled"},
		sentence{"not even one begun before", complete(second, created), 409, "already_enrolled"},
	)
	tt.block(t, id)
	d.hold(t, tt.testPlatform,
		sentence{"too many wrong codes", byApp(third, "verify", "000000"), 429, "rate_limited"},
		sentence{"too many wrong keys", complete(third, jsonBody{}), 429, "rate_limited"},
	)
	email, _ = tt.newUser(t)
	challenge := owed(email)
	created = tt.newAuthenticator("webauthn_passkey").make(t, d.try(t, tt.testPlatform, begin(challenge)).want(t, 200, "").field("options"))
	d.hold(t, tt.testPlatform, sentence{"a key is enrolled", complete(challenge, created), 200, ""})
}

func (d *description) passkeys(t *testing.T, tt testTenant) {
	u := tt.keyedUser(t, "webauthn_passkey")
	public := tt.asUser("")
	complete := func(challenge string, credential any) request {
		return public("POST", "/v1/auth/passkey/complete", jsonBody{"challenge_id": challenge, "credential": credential})
	}
	begun := d.try(t, tt.testPlatform, public("POST", "/v1/auth/passkey/begin", nil)).want(t, 200, "")
	d.try(t, tt.testPlatform, request{method: "POST", path: "/v1/auth/passkey/begin", body: jsonBody{"tenant_slug": tt.slug}}).want(t, 200, "")
	stale, options := tt.stalePasskey(t)
	d.hold(t, tt.testPlatform,
		sentence{"a wrong answer", complete(begun.text("challenge_id"), jsonBody{}), 401, "invalid_credential"},
		sentence{"a late one", complete(stale, u.sign(t, options, nil)), 401, "challenge_expired"},
		sentence{"a passkey signs in", complete(begun.text("challenge_id"), u.sign(t, begun.field("options"), nil)), 200, ""},
	)
}

func (d *description) noFactors(t *testing.T, tt testTenant) {
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "off" }).want(t, 200, "")
	token, _ := tt.signIn(t)
	by, credential := tt.asUser(token), jsonBody{"challenge_id": "-", "credential": jsonBody{}}
	d.hold(t, tt.testPlatform,
		sentence{"no app", by("POST", "/v1/users/me/mfa/totp", nil), 403, "method_not_offered"},
		sentence{"no key", by("POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", nil), 403, "method_not_offered"},
		sentence{"nor its end", by("POST", "/v1/users/me/mfa/webauthn/register/complete", jsonBody{"credential": jsonBody{}, "method_type": "webauthn_fido"}), 403, "method_not_offered"},
		sentence{"no passkey", tt.asUser("")("POST", "/v1/auth/passkey/begin", jsonBody{}), 403, "method_not_offered"},
		sentence{"nor its end", tt.asUser("")("POST", "/v1/auth/passkey/complete", credential), 403, "method_not_offered"},
	)
}
