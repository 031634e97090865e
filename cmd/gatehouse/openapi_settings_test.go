package main

import "testing"

// decisions makes the operations on settings give all the answers described.
func (d *description) decisions(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	by := asKey(tt.host, tt.key)
	old := jsonBody{"password": jsonBody{"min_length": 20}, "mfa": jsonBody{"demand": "optional", "roles": []string{}, "methods": []string{"totp"}, "grace_days": 0},
		"tokens": jsonBody{"access_seconds": 300, "refresh_idle_seconds": 600, "refresh_absolute_seconds": 900, "audiences": []string{}}}
	with := func(name string, value any) jsonBody {
		body := jsonBody{name: value}
		for member, v := range old {
			body[member] = v
		}
		return body
	}
	put := func(body any) request { return by("PUT", "/v1/settings", body) }
	d.hold(t, tp,
		sentence{"settings are shown before any were made", by("GET", "/v1/settings", nil), 200, ""},
		sentence{"a program that knows the old members goes on working", put(old), 200, ""},
		sentence{"origins are listed", put(with("allowed_origins", []string{"https://app.example", "http://localhost:3000"})), 200, ""},
		sentence{"addresses are listed", put(with("return_urls", []string{"https://app.example/in?x=1"})), 200, ""},
		sentence{"a tenant has a face", put(with("branding", jsonBody{"name": "Acme", "logo": avatar(t, "png", 2), "primary_color": "#1a4f8b"})), 200, ""},
		sentence{"and a language", put(with("locale", "de")), 200, ""},
		sentence{"sessions are counted", put(with("sessions", jsonBody{"max_per_user": 3})), 200, ""},
		sentence{"all of it is shown", by("GET", "/v1/settings", nil), 200, ""},
		sentence{"nobody names everybody", put(with("allowed_origins", []string{"*"})), 400, "invalid_request"},
	)
}
