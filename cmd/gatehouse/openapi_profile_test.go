package main

import "testing"

// profile makes the operations on one's own data give all the answers described.
func (d *description) profile(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	token, _ := tt.signIn(t)
	by := tt.asUser(token)
	old, _ := tt.signIn(t)
	d.age(t, tt, old)
	whole := jsonBody{"first_name": "Ada", "last_name": nil, "display_name": " ", "avatar_base64": avatar(t, "png", 1)}
	d.hold(t, tp,
		sentence{"a profile is shown", by("GET", "/v1/users/me/profile", nil), 200, ""},
		sentence{"a profile is changed", by("PUT", "/v1/users/me/profile", whole), 200, ""},
		sentence{"nothing said, nothing changed", by("PUT", "/v1/users/me/profile", jsonBody{}), 200, ""},
		sentence{"a picture is a picture", by("PUT", "/v1/users/me/profile", jsonBody{"avatar_base64": "data:image/png;base64,AAAA"}), 400, "invalid_request"},
		sentence{"preferences are shown", by("GET", "/v1/users/me/preferences", nil), 200, ""},
		sentence{"preferences are changed", by("PUT", "/v1/users/me/preferences", jsonBody{"locale": "de-ch", "timezone": nil, "date_format": "D. M. YYYY"}), 200, ""},
		sentence{"and shown", by("GET", "/v1/users/me/preferences", nil), 200, ""},
		sentence{"a zone is one of the database", by("PUT", "/v1/users/me/preferences", jsonBody{"timezone": "Middle/Earth"}), 400, "invalid_request"},
		sentence{"a password is exchanged for one that is known", change(by, "wrong", "another long passphrase"), 400, "invalid_credentials"},
		sentence{"and by a better one", change(by, goodPassword, "short"), 400, "weak_password"},
		sentence{"after a fresh login", change(tt.asUser(old), goodPassword, "another long passphrase"), 403, "reauthentication_required"},
		sentence{"a password is changed", change(by, goodPassword, "another long passphrase"), 204, ""},
		sentence{"an administrator sees the picture", asKey(tt.host, tt.key)("GET", "/v1/users", nil), 200, ""},
	)
}

// change is the request to change a password.
func change(by func(method, path string, body any) request, current, fresh string) request {
	return by("POST", "/v1/users/me/password", jsonBody{"current_password": current, "new_password": fresh})
}
