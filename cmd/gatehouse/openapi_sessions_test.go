package main

import "testing"

// sessions makes the operations on sessions give all the answers described.
func (d *description) sessions(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	email, id := tt.newUser(t)
	login := tt.asUser("")("POST", "/v1/auth/login", jsonBody{"email": email, "password": goodPassword})
	first := d.try(t, tp, login).want(t, 200, "")
	second := d.try(t, tp, login).want(t, 200, "").text("token")
	other := claimsOf(t, d.try(t, tp, login).want(t, 200, "").text("token"))["sid"].(string)
	refresh := func(host string, body jsonBody) request {
		return request{method: "POST", host: host, path: "/v1/auth/refresh", body: body}
	}
	token := first.text("refresh_token")
	by := tt.asUser(first.text("token"))
	administer := asKey(tt.host, tt.key)
	d.hold(t, tp,
		sentence{"a session goes on", refresh(tt.host, jsonBody{"refresh_token": token}), 200, ""},
		sentence{"on the shared host the token says whose it is", refresh("", jsonBody{"refresh_token": token, "tenant_slug": nil}), 200, ""},
		sentence{"a slug may say so, too", refresh("", jsonBody{"refresh_token": token, "tenant_slug": tt.slug}), 200, ""},
		sentence{"it must say the same", refresh("", jsonBody{"refresh_token": token, "tenant_slug": "platform"}), 403, "tenant_mismatch"},
		sentence{"a token that says nothing is one that is not valid", refresh("", jsonBody{"refresh_token": "x"}), 401, "invalid_token"},
		sentence{"a token is text", refresh(tt.host, jsonBody{"refresh_token": ""}), 400, "invalid_request"},
		sentence{"sessions are listed", by("GET", "/v1/users/me/sessions", nil), 200, ""},
		sentence{"in pages", by("GET", "/v1/users/me/sessions?limit=1", nil), 200, ""},
		sentence{"of a sane length", by("GET", "/v1/users/me/sessions?limit=0", nil), 400, "invalid_request"},
		sentence{"what happened in the account", by("GET", "/v1/users/me/activity", nil), 200, ""},
		sentence{"in pages", by("GET", "/v1/users/me/activity?limit=1", nil), 200, ""},
		sentence{"behind a cursor that is one", by("GET", "/v1/users/me/activity?cursor=x", nil), 400, "invalid_request"},
		sentence{"one of them is ended", by("DELETE", "/v1/users/me/sessions/"+other, nil), 204, ""},
		sentence{"once", by("DELETE", "/v1/users/me/sessions/"+other, nil), 404, "not_found"},
		sentence{"this one is", by("POST", "/v1/auth/logout", nil), 204, ""},
		sentence{"and then there is none", by("POST", "/v1/auth/logout", jsonBody{}), 401, "unauthenticated"},
		sentence{"all are", tt.asUser(second)("POST", "/v1/auth/logout-all", jsonBody{}), 204, ""},
		sentence{"an administrator ends others'", administer("POST", "/v1/users/"+id+"/revoke-sessions", nil), 204, ""},
	)
	tt.exec(t, `update users set is_owner = true where id = $1`, id)
	d.hold(t, tp, sentence{"but not the owner's", administer("POST", "/v1/users/"+id+"/revoke-sessions", nil), 409, "owner_protected"})
}
