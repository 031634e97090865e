package main

import "testing"

// auditLog makes the operations on the audit log give all the answers described.
func (d *description) auditLog(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	_, user := tt.newUser(t)
	by := asKey(tt.host, tt.key)
	token, _ := tt.signIn(t, "admin")
	next := d.try(t, tp, by("GET", "/v1/audit-log?limit=1", nil)).want(t, 200, "").text("next_cursor")

	d.hold(t, tp,
		sentence{"a page follows", by("GET", "/v1/audit-log?limit=1&cursor="+next, nil), 200, ""},
		sentence{"an administrator may read", request{method: "GET", host: tt.host, path: "/v1/audit-log", bearer: token}, 200, ""},
		sentence{"filters narrow", by("GET", "/v1/audit-log?resource_type=user&action=user.created&from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z&resource_id="+user, nil), 200, ""},
		sentence{"a cursor is of one list", by("GET", "/v1/audit-log?action=user.created&cursor="+next, nil), 400, "invalid_request"},
		sentence{"the log is exported", by("GET", "/v1/audit-log/export", nil), 200, ""},
		sentence{"or a time of it", by("GET", "/v1/audit-log/export?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z", nil), 200, ""},
		sentence{"but no choice of entries", by("GET", "/v1/audit-log/export?action=user.created", nil), 400, "invalid_request"},
		sentence{"it is verified", by("GET", "/v1/audit-log/verification", nil), 200, ""},
		sentence{"for some days", by("GET", "/v1/audit-log/verification?days=90", nil), 200, ""},
		sentence{"not for years", by("GET", "/v1/audit-log/verification?days=91", nil), 400, "invalid_request"},
		sentence{"an action must exist", by("GET", "/v1/audit-log?action=user.eaten", nil), 400, "invalid_request"},
	)
}
