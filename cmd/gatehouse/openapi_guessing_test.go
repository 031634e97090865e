package main

import "testing"

// guessing makes the operations that wait after failures say so.
func (d *description) guessing(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	email, id := tt.newUser(t)
	_, admin := tt.newUser(t, "admin")
	few, _ := tt.newKey(t, "users:write")
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	tt.exec(t, `insert into failures (key, failures, consecutive, since, blocked_until) values ($1, 9, 9, now(), now() + interval '1 hour')`, id)
	login := tt.asUser("")("POST", "/v1/auth/login", jsonBody{"email": email, "password": goodPassword})
	refresh := tt.asUser("")("POST", "/v1/auth/refresh", jsonBody{"refresh_token": "x"})
	refresh.from = "127.1.0.1"
	for range 60 {
		refresh.send(t, tp).want(t, 401, "invalid_token")
	}
	d.hold(t, tp,
		sentence{"too many refresh tokens that are none", refresh, 429, "rate_limited"},
		sentence{"too many wrong passwords", login, 429, "rate_limited"},
		sentence{"also of one who is signed in", change(tt.asUser(token), goodPassword, betterPassword), 429, "rate_limited"},
		sentence{"unlocking an administrator takes every right", asKey(tt.host, few)("POST", "/v1/users/"+admin+"/unlock", nil), 403, "forbidden"},
		sentence{"a user is unlocked", asKey(tt.host, tt.key)("POST", "/v1/users/"+id+"/unlock", nil), 204, ""},
		sentence{"and signs in", login, 200, ""},
	)
}
