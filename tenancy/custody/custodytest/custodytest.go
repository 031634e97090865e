// Package custodytest is the suite that every custodian must pass: the contract of custody.Custodian and
// custody.Keymaster in executable form. It is imported by tests only.
package custodytest

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Run holds what open returns against the contract. The two may be one value, or two logged in with different
// rights. They may hold other tenants' keys: every test makes tenants of its own.
func Run(t *testing.T, open func(t *testing.T) (custody.Custodian, custody.Keymaster)) {
	for name, test := range map[string]func(*testing.T, fixture){
		"Sign":               testSign,
		"SignVersions":       testSignVersions,
		"SignRefuses":        testSignRefuses,
		"AddSigningRefuses":  testAddSigningRefuses,
		"AddSigningAtOnce":   testAddSigningConcurrently,
		"HMAC":               testHMAC,
		"HMACVersions":       testHMACVersions,
		"Seal":               testSeal,
		"SealVersions":       testSealVersions,
		"OpenRefuses":        testOpenRefuses,
		"CreateAgain":        testCreateAgain,
		"CreateOther":        testCreateOther,
		"CreateConcurrently": testCreateConcurrently,
		"Destroy":            testDestroy,
		"UnknownTenant":      testUnknownTenant,
		"Concurrency":        testConcurrency,
		"EndedContext":       testEndedContext,
		"Ready":              testReady,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, k := open(t)
			test(t, fixture{c, k})
		})
	}
}

type fixture struct {
	custody.Custodian
	custody.Keymaster
}

// tenant makes a tenant with keys and destroys them at the end.
func (f fixture) tenant(t *testing.T, alg custody.Algorithm) id.Tenant {
	t.Helper()
	tenant := id.NewTenant()
	if err := f.Create(t.Context(), tenant, alg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Destroy(context.WithoutCancel(t.Context()), tenant); err != nil {
			t.Error(err)
		}
	})
	return tenant
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
