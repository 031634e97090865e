package main

import "testing"

// linkExamples are bodies that an operation accepts in form, at the host of any tenant.
var linkExamples = map[string]jsonBody{
	"verifyEmail":          {"token": "-"},
	"confirmEmailChange":   {"token": "-"},
	"setInitialPassword":   {"token": "-", "password": goodPassword},
	"resetPassword":        {"token": "-", "new_password": goodPassword},
	"resendVerification":   {"email": "nobody@people.example"},
	"requestPasswordReset": {"email": "nobody@people.example"},
	"changeEmail":          {"new_email": "other@people.example", "current_password": goodPassword},
}

// links makes the operations that go by mail give all the answers described.
func (d *description) links(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	ada, bob, fresh := uniqueName()+"@people.example", uniqueName()+"@people.example", uniqueName()+"@new.example"
	public, by := tt.asUser(""), asKey(tt.host, tt.key)
	shared := func(path string, body any) request { return request{method: "POST", path: path, body: body} }
	add := func(body jsonBody) string {
		return tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body}).want(t, 201, "").text("id")
	}
	invited := "/v1/users/" + add(jsonBody{"email": ada, "name": "Ada"})
	add(jsonBody{"email": bob, "name": "Bob", "password": goodPassword})
	set := func(token, pw string) request {
		return public("POST", "/v1/auth/set-initial-password", jsonBody{"token": token, "password": pw})
	}
	reset := func(token, pw string) request {
		return public("POST", "/v1/auth/reset-password", jsonBody{"token": token, "new_password": pw})
	}
	d.hold(t, tp, sentence{"an invitation is sent again", by("POST", invited+"/resend-invite", nil), 200, ""})
	invitation := tt.mailed(t, "invitation", ada).token
	d.hold(t, tp,
		sentence{"a password is long", set(invitation, "short"), 400, "weak_password"},
		sentence{"an invitation sets a password", set(invitation, goodPassword), 200, ""},
		sentence{"once", set(invitation, goodPassword), 400, "invalid_token"},
		sentence{"who is verified needs none", by("POST", invited+"/resend-invite", jsonBody{}), 409, "already_verified"},
		sentence{"an address is verified", shared("/v1/auth/verify-email", jsonBody{"token": tt.mailed(t, "verify_email", bob).token}), 200, ""},
		sentence{"by a token of a link", shared("/v1/auth/verify-email", jsonBody{"token": "-"}), 400, "invalid_token"},
		sentence{"no mail is needed", public("POST", "/v1/auth/resend-verification", jsonBody{"email": bob}), 202, ""},
		sentence{"nobody is answered alike", public("POST", "/v1/auth/resend-verification", jsonBody{"email": "nobody@people.example"}), 202, ""},
		sentence{"a reset is asked for", shared("/v1/auth/request-password-reset", jsonBody{"email": ada, "tenant_slug": tt.slug}), 202, ""},
		sentence{"of nobody's domain, too", shared("/v1/auth/request-password-reset", jsonBody{"email": ada}), 202, ""},
	)
	token := tt.mailed(t, "reset_password", ada).token
	const better = "another long enough passphrase"
	d.hold(t, tp,
		sentence{"not with a short one", reset(token, "short"), 400, "weak_password"},
		sentence{"a reset sets a password", reset(token, better), 200, ""},
		sentence{"once", reset(token, better), 400, "invalid_token"},
	)
	login := func() func(string, string, any) request {
		return tt.asUser(tt.login(t, ada, better).want(t, 200, "").text("token"))
	}
	user, late := login(), login()
	d.age(t, tt, late("", "", nil).bearer)
	change := func(by func(string, string, any) request, to, pw string) request {
		return by("POST", "/v1/users/me/email", jsonBody{"new_email": to, "current_password": pw})
	}
	confirm := func(token string) request {
		return public("POST", "/v1/auth/confirm-email-change", jsonBody{"token": token})
	}
	d.hold(t, tp,
		sentence{"an address wants a fresh login", change(late, fresh, better), 403, "reauthentication_required"},
		sentence{"and the password", change(user, fresh, "wrong"), 400, "invalid_credentials"},
		sentence{"and to be another", change(user, ada, better), 400, "invalid_request"},
		sentence{"another address is asked for", change(user, fresh, better), 202, ""},
	)
	token = tt.mailed(t, "confirm_email_change", fresh).token
	rival := "/v1/users/" + add(jsonBody{"email": fresh, "name": "Rival"})
	d.hold(t, tp,
		sentence{"somebody was faster", confirm(token), 409, "email_taken"},
		sentence{"and is gone again", by("DELETE", rival, nil), 204, ""},
		sentence{"an address is confirmed", confirm(token), 200, ""},
		sentence{"once", confirm(token), 400, "invalid_token"},
	)
	member, id := tt.newUser(t)
	user = tt.asUser(tt.login(t, member, goodPassword).want(t, 200, "").text("token"))
	tt.exec(t, `insert into failures (key, failures, consecutive, since, blocked_until) values ($1, 9, 9, now(), now() + interval '1 hour')`, id)
	d.hold(t, tp, sentence{"too many wrong passwords", change(user, "ada@else.example", goodPassword), 429, "rate_limited"})
	for range 5 {
		tt.at(t, "POST", "/v1/auth/resend-verification", request{body: jsonBody{"email": ada}})
	}
	d.hold(t, tp,
		sentence{"a network asks five times", public("POST", "/v1/auth/resend-verification", jsonBody{"email": ada}), 429, "rate_limited"},
		sentence{"for whatever mail", public("POST", "/v1/auth/request-password-reset", jsonBody{"email": ada}), 429, "rate_limited"},
	)
}
