package tenancy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// withPlatform is a platform with its own tenant, which can sign receipts.
func withPlatform(t testing.TB) (*platform, Tenant) {
	t.Helper()
	return signing(t, newPlatform(t))
}

func signing(t testing.TB, p *platform) (*platform, Tenant) {
	t.Helper()
	p.options.Receipts = &Receipts{Directory: p.directory, Keyring: NewKeyring(p.db, p.clock.now), Signer: p.runtime}
	p.provision = NewProvisioner(p.options)
	master := wanted()
	master.Master = true
	c, err := p.provision.Create(t.Context(), master)
	check(t, err)
	return p, c.Tenant
}

var byNobody = Actor{Type: ByOperator}

// extinct holds that nothing of a tenant is left but the row that says so.
func (p *platform) extinct(t *testing.T, tenant Tenant) {
	t.Helper()
	schema := namespace(tenant.ID)
	for what, query := range map[string]string{
		"records":  `select count(*) from control.tenants where id = $1`,
		"domains":  `select count(*) from control.domains where tenant_id = $1`,
		"answers":  `select count(*) from control.idempotency_keys where starts_with(scope, $1::uuid::text)`,
		"entries":  `select count(*) from control.audit_outbox where tenant_id = $1`,
		"jobs":     `select count(*) from jobs.river_job where args->>'tenant' = $1::uuid::text`,
		"unsigned": `select count(*) from control.deletions where tenant_id = $1 and receipt is null`,
	} {
		if n := ask[int](t, p, query, tenant.ID); n != 0 {
			t.Errorf("%d %s are left of %s", n, what, tenant.Slug)
		}
	}
	if n := ask[int](t, p, `select (select count(*) from pg_namespace where nspname = $1) + (select count(*) from pg_roles where rolname = $1)
		+ (select count(*) from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace where n.oid is null and d.defaclnamespace <> 0)`, schema); n != 0 {
		t.Errorf("schema or role of %s are left", tenant.Slug)
	}
	if keys, err := p.options.Keys.PublicKeys(t.Context(), tenant.ID); !errors.Is(err, custody.ErrNoKey) {
		t.Errorf("%d signing keys are left: %v", len(keys), err)
	}
	if _, err := p.runtime.Seal(t.Context(), tenant.ID, []byte("x"), nil); !errors.Is(err, custody.ErrNoKey) {
		t.Errorf("the sealing key is left: %v", err)
	}
	for how, look := range everyLookup(t.Context(), p.directory, tenant) {
		if _, err := look(); !errors.Is(err, ErrUnknown) {
			t.Errorf("it is found by %s: %v", how, err)
		}
	}
	w := wanted()
	w.Slug = tenant.Slug
	if _, err := p.provision.Create(t.Context(), w); codeOf(err) != "slug_taken" {
		t.Errorf("its slug is given again: %v", err)
	}
}

func everyLookup(ctx context.Context, d *Directory, tenant Tenant) map[string]func() (Tenant, error) {
	return map[string]func() (Tenant, error){
		"id":   func() (Tenant, error) { return d.ByID(ctx, tenant.ID) },
		"slug": func() (Tenant, error) { return d.BySlug(ctx, tenant.Slug) },
		"host": func() (Tenant, error) { return d.ByHost(ctx, tenant.PrimaryDomain) },
		"read": func() (Tenant, error) { return d.Read(ctx, tenant.ID) },
	}
}

// verified is what the receipt of a deletion says.
func (p *platform) verified(t *testing.T, master Tenant, d Deletion) Receipt {
	t.Helper()
	keys, err := NewKeyring(p.db, p.clock.now).Of(t.Context(), master)
	check(t, err)
	known := map[string]VerificationKey{}
	for _, k := range keys.Public {
		known[k.KID] = k.VerificationKey
	}
	says, _, err := VerifyReceipt(d.Receipt, known)
	check(t, err)
	return says
}

func TestADeletedTenantIsExtinct(t *testing.T) {
	t.Parallel()
	p, master := withPlatform(t)
	listen(t, p.directory)
	replica := p.replica(t)
	listen(t, replica)
	c, err := p.provision.Create(t.Context(), owned())
	check(t, err)
	tenant := c.Tenant
	for how, look := range everyLookup(t.Context(), replica, tenant) {
		if _, err := look(); err != nil {
			t.Fatalf("by %s: %v", how, err)
		}
	}
	preview, err := p.provision.Preview(t.Context(), tenant.ID)
	check(t, err)
	if preview.State != Active || preview.Inventory.Rows["users"] != 1 || preview.Inventory.Rows["api_keys"] != 1 || len(preview.Inventory.Keys) != 2 {
		t.Errorf("a dry run says %+v %+v", preview, preview.Inventory)
	}
	if _, err := p.directory.ByID(t.Context(), tenant.ID); err != nil {
		t.Errorf("after a dry run: %v", err)
	}
	d, err := p.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	within(t, promised, "every replica knows", func() bool {
		for _, look := range everyLookup(t.Context(), replica, tenant) {
			if _, err := look(); !errors.Is(err, ErrUnknown) {
				return false
			}
		}
		return true
	})
	p.extinct(t, tenant)
	says := p.verified(t, master, d)
	if says.Platform != master.ID || says.Tenant != tenant.ID || says.Slug != tenant.Slug || says.Destroyed.Schema != namespace(tenant.ID) ||
		says.Destroyed.Rows["users"] != 1 || len(says.Destroyed.Domains) != 1 || says.Destroyed.Keys[1].KID == "" || says.Destroyed.AuditLog == nil {
		t.Errorf("the receipt says %+v", says)
	}
	again, err := p.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	if again.Receipt != d.Receipt || !again.DeletedAt.Equal(*d.DeletedAt) {
		t.Errorf("said again it answers %+v, and first %+v", again, d)
	}
	if n := ask[int](t, p, "select count(*) from control.deletions where deletions::text like '%acme.example%' or deletions::text like '%Olive%'"); n != 0 {
		t.Error("what is kept says who the owner was")
	}

	// The name of its domain is free: somebody else may prove it.
	p.domain(t, p.tenant(t), tenant.PrimaryDomain, UseHost)

	for what, err := range map[string]error{
		"nobody": func() error { _, err := p.provision.Delete(t.Context(), byNobody, id.NewTenant()); return err }(),
		"nobody later": func() error {
			_, err := p.provision.DeleteLater(t.Context(), byNobody, id.NewTenant(), time.Hour)
			return err
		}(),
		"a dry run":  func() error { _, err := p.provision.Preview(t.Context(), id.NewTenant()); return err }(),
		"a restored": p.provision.Restore(t.Context(), byNobody, tenant.ID),
	} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"now": func() error { _, err := p.provision.Delete(t.Context(), byNobody, master.ID); return err }(),
		"later": func() error {
			_, err := p.provision.DeleteLater(t.Context(), byNobody, master.ID, time.Hour)
			return err
		}(),
		"a dry run": func() error { _, err := p.provision.Preview(t.Context(), master.ID); return err }(),
	} {
		if codeOf(err) != "platform_protected" {
			t.Errorf("the platform tenant, %s: %v", what, err)
		}
	}
}

var deletionSteps = []string{"begin", "inventory", "destroyed keys", "dropped schema", "receipt"}

// TestACrashAfterAnyStepOfADeletionIsMadeGood: by another replica's DestroyAll, or by whoever asks again.
func TestACrashAfterAnyStepOfADeletionIsMadeGood(t *testing.T) {
	t.Parallel()
	p, master := withPlatform(t)
	listen(t, p.directory)
	deleted := func(how string, finish func(Tenant) error) Receipt {
		c, err := p.provision.Create(t.Context(), owned())
		check(t, err)
		check(t, finish(c.Tenant))
		p.extinct(t, c.Tenant)
		d, err := p.provision.Delete(t.Context(), byNobody, c.Tenant.ID)
		check(t, err)
		says := p.verified(t, master, d)
		if says.Tenant != c.Tenant.ID || says.Destroyed.Schema != namespace(c.Tenant.ID) || len(says.Destroyed.Domains) != 1 || len(says.Destroyed.Keys) != 2 {
			t.Errorf("%s: the receipt says %+v", how, says)
		}
		return says
	}
	want := deleted("without a crash", func(tenant Tenant) error { _, err := p.provision.Delete(t.Context(), byNobody, tenant.ID); return err })
	for _, step := range deletionSteps {
		for name, finish := range map[string]func(Tenant) error{
			"DestroyAll": func(Tenant) error { return NewProvisioner(p.options).DestroyAll(t.Context(), 0) },
			"asking again": func(tenant Tenant) error {
				_, err := NewProvisioner(p.options).Delete(t.Context(), byNobody, tenant.ID)
				return err
			},
			"four at once": func(tenant Tenant) error {
				inParallel(t, 4, func(i int) error {
					r := NewProvisioner(p.options)
					if i%2 == 0 {
						return r.DestroyAll(t.Context(), 0)
					}
					_, err := r.Delete(t.Context(), byNobody, tenant.ID)
					return err
				})
				return nil
			},
		} {
			how := "after " + step + " by " + name
			got := deleted(how, func(tenant Tenant) error {
				if _, err := p.crashing(step).Delete(t.Context(), byNobody, tenant.ID); !errors.Is(err, errCrash) {
					return fmt.Errorf("%s: it did not crash: %w", how, err)
				}
				for how, look := range everyLookup(t.Context(), p.directory, tenant) {
					within(t, promised, "nobody knows it by "+how, func() bool { _, err := look(); return errors.Is(err, ErrUnknown) })
				}
				return finish(tenant)
			})
			if fmt.Sprint(got.Destroyed.Rows) != fmt.Sprint(want.Destroyed.Rows) {
				t.Errorf("%s: the rows were %v, and without a crash %v", how, got.Destroyed.Rows, want.Destroyed.Rows)
			}
		}
	}
}

// TestAReplicaThatStopsLeavesADeletionToOthers: it does not go on with it for as long as it takes, and another one does.
func TestAReplicaThatStopsLeavesADeletionToOthers(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	tenant := p.tenant(t)
	if _, err := p.crashing("begin").Delete(t.Context(), byNobody, tenant.ID); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	o := p.options
	stopping := NewProvisioner(o)
	stopping.afterStep = func(string) error { stop(); return nil }
	if err := stopping.DestroyAll(ctx, 0); err == nil {
		t.Error("the replica that stops has gone on to the end")
	}
	check(t, NewProvisioner(o).DestroyAll(t.Context(), 0))
	p.extinct(t, tenant)
}

func TestADeletionWithGrace(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	listen(t, p.directory)
	for _, was := range []State{Active, Suspended} {
		tenant := p.tenant(t)
		suspended := was == Suspended
		check(t, p.provision.Update(t.Context(), tenant.ID, Change{Suspended: &suspended}))
		d, err := p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, 24*time.Hour)
		check(t, err)
		again, err := p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, time.Hour)
		check(t, err)
		if d.State != Deleting || !again.After.Equal(*d.After) {
			t.Errorf("to be deleted: %+v, and said again: %+v", d, again)
		}
		for how, look := range everyLookup(t.Context(), p.directory, tenant) {
			if how != "read" {
				within(t, promised, "nobody knows it by "+how, func() bool { _, err := look(); return errors.Is(err, ErrUnknown) })
			}
		}
		if got, err := p.directory.Read(t.Context(), tenant.ID); err != nil || got.State != Deleting {
			t.Errorf("the platform sees %+v, %v", got, err)
		}
		name, slug := "New", newSlug()
		for _, c := range []Change{{Name: &name}, {Slug: &slug}, {Suspended: &suspended}} {
			if err := p.provision.Update(t.Context(), tenant.ID, c); codeOf(err) != "tenant_deleting" {
				t.Errorf("a change of it: %v", err)
			}
		}
		check(t, p.provision.DestroyAll(t.Context(), 0))
		check(t, p.provision.Restore(t.Context(), byNobody, tenant.ID))
		check(t, p.provision.Restore(t.Context(), byNobody, tenant.ID))
		within(t, promised, "it is back", func() bool {
			got, err := p.directory.ByHost(t.Context(), tenant.PrimaryDomain)
			return err == nil && got.State == was
		})
		_, err = p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, time.Hour)
		check(t, err)
		p.clock.advance(time.Hour + time.Second)
		inParallel(t, 3, func(int) error { return NewProvisioner(p.options).DestroyAll(t.Context(), 0) })
		p.extinct(t, tenant)
		if err := p.provision.Restore(t.Context(), byNobody, tenant.ID); !errors.Is(err, ErrUnknown) {
			t.Errorf("restored when it is too late: %v", err)
		}
	}
	// Who cannot wait deletes it now.
	tenant := p.tenant(t)
	_, err := p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, time.Hour)
	check(t, err)
	_, err = p.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	p.extinct(t, tenant)
}

// TestRestoreAndTheEndOfGraceRace: one of the two wins, wholly.
func TestRestoreAndTheEndOfGraceRace(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	listen(t, p.directory)
	for range 5 {
		tenant := p.tenant(t)
		_, err := p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, time.Hour)
		check(t, err)
		p.clock.advance(time.Hour + time.Second)
		var restored error
		inParallel(t, 3, func(i int) error {
			if i == 0 {
				restored = NewProvisioner(p.options).Restore(t.Context(), byNobody, tenant.ID)
				return nil
			}
			return NewProvisioner(p.options).DestroyAll(t.Context(), 0)
		})
		if errors.Is(restored, ErrUnknown) {
			check(t, p.provision.DestroyAll(t.Context(), 0))
			p.extinct(t, tenant)
			continue
		}
		check(t, restored)
		got, err := p.directory.Read(t.Context(), tenant.ID)
		if err != nil || got.State != Active {
			t.Errorf("restored, it is %+v, %v", got, err)
		}
		check(t, p.db.InTx(t.Context(), got, func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, "select from users")
			return err
		}))
	}
}

// TestADeletionWaitsForVault: nothing begins while it is away, and what has begun goes on when it is back.
func TestADeletionWaitsForVault(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	runtime, provisioner, server := tenancytest.OwnVault(t)
	in.Runtime, in.Provisioner = runtime, provisioner
	p, master := signing(t, assemble(t, in))
	whole, begun := p.tenant(t), p.tenant(t)
	if _, err := p.crashing("begin").Delete(t.Context(), byNobody, begun.ID); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	check(t, server.Seal(t.Context()))
	unavailable(t, "Delete", func() error { _, err := p.provision.Delete(t.Context(), byNobody, whole.ID); return err })
	unavailable(t, "Delete again", func() error { _, err := p.provision.Delete(t.Context(), byNobody, begun.ID); return err })
	if err := p.provision.DestroyAll(t.Context(), 0); codeOf(err) != "unavailable" {
		t.Errorf("DestroyAll: %v", err)
	}
	if _, err := p.directory.Read(t.Context(), whole.ID); err != nil {
		t.Errorf("a tenant whose deletion was refused: %v", err)
	}
	check(t, server.Unseal(t.Context()))
	within(t, 10*promised/2, "it goes on", func() bool { return p.provision.DestroyAll(t.Context(), 0) == nil })
	p.extinct(t, begun)
	d, err := p.provision.Delete(t.Context(), byNobody, begun.ID)
	check(t, err)
	p.verified(t, master, d)
}

// TestALateFinisherLeavesNothingOfADeletedTenant: it read the record while the tenant was half made, and comes to it when the
// tenant is deleted.
func TestALateFinisherLeavesNothingOfADeletedTenant(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	w := wanted()
	if _, err := p.crashing("reserve").Create(t.Context(), w); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	late, err := p.provision.unfinished(t.Context(), p.clock.now())
	check(t, err)
	check(t, p.provision.FinishAll(t.Context(), 0))
	tenant := late[0].tenant
	_, err = p.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	check(t, p.provision.complete(t.Context(), tenant, late[0].blueprint))
	tenant.PrimaryDomain = Host(tenant.Slug) + ".tenants.example"
	p.extinct(t, tenant)
}

// TestARequestWhoseTenantIsDeletedUnderneath: it is told what the next one is.
func TestARequestWhoseTenantIsDeletedUnderneath(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	tenant, read := p.tenant(t), "select count(*) from users"
	for range 4 { // prepared, on some of the connections
		check(t, p.db.InBatch(t.Context(), tenant, func(b *Batch) { b.Queue(read) }))
	}
	inside, deleted := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		_, err := p.provision.Delete(context.WithoutCancel(t.Context()), byNobody, tenant.ID)
		deleted <- err
	}()
	err := p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
		if _, err := tx.Exec(ctx, read); err != nil {
			return err
		}
		close(inside)
		within(t, promised, "the schema is being dropped", func() bool {
			return ask[int](t, p, `select count(*) from pg_locks where not granted`) > 0
		})
		_, err := tx.Exec(ctx, "select count(*) from sessions")
		return err
	})
	if code := codeOf(err); code != "ok" && code != "unavailable" && code != "not_found" {
		t.Errorf("the one that was inside: %v", err)
	}
	check(t, <-deleted)
	for range 8 {
		if err := p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, read); return err }); codeOf(err) != "not_found" {
			t.Errorf("a transaction afterwards: %v", err)
		}
		if err := p.db.InBatch(t.Context(), tenant, func(b *Batch) { b.Queue(read) }); codeOf(err) != "not_found" {
			t.Errorf("a batch afterwards: %v", err)
		}
	}
}
