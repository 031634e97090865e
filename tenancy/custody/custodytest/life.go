package custodytest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func testCreateAgain(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.EdDSA)
	before := must(f.PublicKeys(t.Context(), tenant))(t)
	sealed := must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t)
	if err := f.Create(t.Context(), tenant, custody.EdDSA); err != nil {
		t.Fatal(err)
	}
	after := must(f.PublicKeys(t.Context(), tenant))(t)
	if len(after) != 1 || after[0].KeyID() != before[0].KeyID() {
		t.Errorf("creating again changed the key: %+v, before %+v", after, before)
	}
	must(f.Open(t.Context(), tenant, sealed, nil))(t)
}

func testCreateOther(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	wantError(t, "Create with another algorithm", f.Create(t.Context(), tenant, custody.EdDSA), custody.ErrOtherAlgorithm)
	if keys := must(f.PublicKeys(t.Context(), tenant))(t); len(keys) != 1 || keys[0].Algorithm != custody.ES256 {
		t.Errorf("it changed the key: %+v", keys)
	}
	if err := f.Create(t.Context(), id.NewTenant(), "HS256"); err == nil {
		t.Error("Create with HS256 succeeded")
	}
}

func testCreateConcurrently(t *testing.T, f fixture) {
	tenant := id.NewTenant()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := f.Create(t.Context(), tenant, custody.ES256); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if keys := must(f.PublicKeys(t.Context(), tenant))(t); len(keys) != 1 {
		t.Errorf("created at once by eight: %+v", keys)
	}
	if err := f.Destroy(t.Context(), tenant); err != nil {
		t.Error(err)
	}
}

func testDestroy(t *testing.T, f fixture) {
	tenant, bystander := f.tenant(t, custody.ES256), f.tenant(t, custody.ES256)
	sealed := must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t)
	must(f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: 2, Algorithm: custody.EdDSA}))(t)
	must(f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: 3, Algorithm: custody.ES256}))(t)
	for range 2 {
		if err := f.Destroy(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	f.wantNoKey(t, tenant, sealed)
	for version, alg := range map[int]custody.Algorithm{2: custody.EdDSA, 3: custody.ES256} {
		_, err := f.Sign(t.Context(), tenant, custody.SigningKey{Version: version, Algorithm: alg}, []byte("x"))
		wantError(t, "Sign with a later key", err, custody.ErrNoKey)
	}
	must(f.Seal(t.Context(), bystander, []byte("x"), nil))(t)

	// A tenant made again under the same id has other keys.
	if err := f.Create(t.Context(), tenant, custody.EdDSA); err != nil {
		t.Fatal(err)
	}
	_, err := f.Open(t.Context(), tenant, sealed, nil)
	wantError(t, "Open of a value sealed before the destruction", err, custody.ErrTampered)
}

func testUnknownTenant(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	f.wantNoKey(t, id.NewTenant(), must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t))
	if err := f.Destroy(t.Context(), id.NewTenant()); err != nil {
		t.Errorf("destroying what is not there: %v", err)
	}
}

func (f fixture) wantNoKey(t *testing.T, tenant id.Tenant, sealed string) {
	t.Helper()
	for name, err := range f.everything(t.Context(), tenant, sealed) {
		wantError(t, name+" without a key", err, custody.ErrNoKey)
	}
}

// everything calls each method that needs a key.
func (f fixture) everything(ctx context.Context, tenant id.Tenant, sealed string) map[string]error {
	errs := map[string]error{}
	_, errs["Sign"] = f.Sign(ctx, tenant, custody.SigningKey{Version: 1, Algorithm: custody.ES256}, []byte("x"))
	_, _, errs["HMAC"] = f.HMAC(ctx, tenant, 0, []byte("x"))
	_, _, errs["HMAC of version 1"] = f.HMAC(ctx, tenant, 1, []byte("x"))
	_, errs["Seal"] = f.Seal(ctx, tenant, []byte("x"), nil)
	_, errs["Open"] = f.Open(ctx, tenant, sealed, nil)
	_, errs["PublicKeys"] = f.PublicKeys(ctx, tenant)
	_, errs["AddSigning"] = f.AddSigning(ctx, tenant, custody.SigningKey{Version: 2, Algorithm: custody.ES256})
	_, errs["RotateSealing"] = f.RotateSealing(ctx, tenant)
	_, errs["SealingVersion"] = f.SealingVersion(ctx, tenant)
	return errs
}

func testConcurrency(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	key := must(f.PublicKeys(t.Context(), tenant))(t)[0]
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			verify(t, f.token(t.Context(), t, tenant, key), key)
			if _, _, err := f.HMAC(t.Context(), tenant, 1, []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Go(func() { must(f.RotateSealing(t.Context(), tenant))(t) })
	all.Wait()
}

func testEndedContext(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	sealed := must(f.Seal(t.Context(), tenant, []byte("x"), nil))(t)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		errs := f.everything(ctx, tenant, sealed)
		errs["Create"] = f.Create(ctx, tenant, custody.ES256)
		errs["Destroy"] = f.Destroy(ctx, tenant)
		errs["Ready"] = f.Custodian.Ready(ctx)
		errs["Keymaster.Ready"] = f.Keymaster.Ready(ctx)
		for name, err := range errs {
			if !errors.Is(err, ctx.Err()) || !errors.Is(err, custody.ErrUnavailable) {
				t.Errorf("%s after %v: %v, want that and ErrUnavailable", name, ctx.Err(), err)
			}
		}
	}
	must(f.Open(t.Context(), tenant, sealed, nil))(t)
}

func testReady(t *testing.T, f fixture) {
	if err := errors.Join(f.Custodian.Ready(t.Context()), f.Keymaster.Ready(t.Context())); err != nil {
		t.Error(err)
	}
}
