package main

import (
	"reflect"
	"testing"
)

// fleet makes the operation on the fleet give the answers described.
func (d *description) fleet(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	d.hold(t, tp,
		sentence{"the databases are shown", asKey("", tp.platformKey)("GET", "/v1/fleet", nil), 200, ""},
		sentence{"to the platform alone", asKey(tt.host, tt.key)("GET", "/v1/fleet", nil), 403, "forbidden"},
	)
}

// The fleet is counted by database and version, and a database that only the records know is told as such.
func TestTheFleetIsCounted(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	behind, elsewhere := tp.newTenant(t), tp.newTenant(t)
	c := behind.superuser(t)
	for _, change := range []string{
		"update control.tenants set schema_version = 1 where id = '" + behind.id + "'",
		"update control.tenants set database = 'nowhere' where id = '" + elsewhere.id + "'",
	} {
		if _, err := c.Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	a := tp.do(t, request{method: "GET", path: "/v1/fleet", key: tp.platformKey}).want(t, 200, "")
	latest := a.field("schema_version")
	for i, want := range []jsonBody{
		{"name": "nowhere", "state": "unknown", "capacity": nil, "tenants": 1.0, "behind": 0.0, "versions": []any{jsonBody{"schema_version": latest, "tenants": 1.0}}},
		{"name": "shared-1", "state": "serving", "capacity": float64(defaultCapacity), "tenants": 2.0, "behind": 1.0,
			"versions": []any{jsonBody{"schema_version": 1.0, "tenants": 1.0}, jsonBody{"schema_version": latest, "tenants": 1.0}}},
	} {
		got := a.field("databases").([]any)[i].(jsonBody)
		delete(got, "busiest") // a moment's, see the gate's test
		if !reflect.DeepEqual(got, want) {
			t.Errorf("database %d is %v and not %v", i, got, want)
		}
	}
}
