package main

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A serving connection that may not take on a tenant's role, as one that missed the grant, is an outage and no denial,
// and is over with the next grant.
func TestRoleThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme := tp.newTenant(t)
	email, _ := acme.newUser(t)
	serving, err := pgx.ParseConfig(tp.install.RuntimeURL)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), tp.install.SuperuserURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	role := "t_" + strings.ReplaceAll(acme.id, "-", "")

	if _, err := admin.Exec(t.Context(), "revoke "+role+" from "+serving.User); err != nil {
		t.Fatal(err)
	}
	a := acme.login(t, email, goodPassword).want(t, 503, "unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if _, err := admin.Exec(t.Context(), "grant "+role+" to "+serving.User); err != nil {
		t.Fatal(err)
	}
	acme.login(t, email, goodPassword).want(t, 200, "")
}
