package custody_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/custody/custodytest"
)

func openSoftware(t testing.TB, dir string) *custody.Software {
	t.Helper()
	s, err := custody.OpenSoftware(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSoftware opens the folder twice: a process that provisions and one that serves see each other's changes at once.
func TestSoftware(t *testing.T) {
	dir := t.TempDir()
	custodytest.Run(t, func(t *testing.T) (custody.Custodian, custody.Keymaster) {
		return openSoftware(t, dir), openSoftware(t, dir)
	})
}

func TestSoftwareFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := openSoftware(t, dir)
	a, b := id.NewTenant(), id.NewTenant()
	for _, tenant := range []id.Tenant{a, b} {
		if err := s.Create(t.Context(), tenant, custody.EdDSA); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 { // two tenants, kek, lock
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}

	// One tenant's file in another's place must not become its keys.
	stolen, err := os.ReadFile(filepath.Join(dir, a.Hex()+".keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, b.Hex()+".keys"), stolen, 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := openSoftware(t, dir).PublicKeys(t.Context(), b); err == nil {
		t.Errorf("a swapped file opened: %+v", keys)
	}
}
