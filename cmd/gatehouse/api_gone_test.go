package main

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/transfer"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// A login asks for what its tenant has imported when the tenant may just have been deleted, and says so as the next one does.
func TestImportedHashesOfADeletedTenantAreNotFound(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	tenant, user := tt.record(t).ID, id.NewUser()
	tp.do(t, request{method: "DELETE", path: "/v1/tenants/" + tt.id, key: tp.platformKey}).want(t, 200, "")
	imported := transfer.NewImported(tp.db, tp.directory, tp.custodian)
	if _, err := imported.Decoy(t.Context(), tenant); !problem.Is(err, "not_found") {
		t.Errorf("a decoy: %v", err)
	}
	if _, err := imported.Open(t.Context(), tenant, user, password.SealedPrefix); !problem.Is(err, "not_found") {
		t.Errorf("a sealed hash: %v", err)
	}
}
