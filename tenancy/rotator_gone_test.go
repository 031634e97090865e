package tenancy

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// doomedBy is a rotator whose tenant is deleted when it first asks for the time, which it does before it writes down a request.
func (p *platform) doomedBy(t *testing.T, tenant Tenant) *Rotator {
	r, asked := p.rotator(t), false
	r.Now = func() time.Time {
		if !asked {
			asked = true
			_, err := p.provision.Delete(t.Context(), byNobody, tenant.ID)
			check(t, err)
		}
		return p.clock.now()
	}
	return r
}

// TestKeysOfATenantThatIsDeletedUnderneath: who asked is told what the next one is, and for the background there is nothing to do.
func TestKeysOfATenantThatIsDeletedUnderneath(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	rotated, revoked, stepped := p.tenant(t), p.tenant(t), p.tenant(t)
	if _, err := p.doomedBy(t, rotated).Rotate(t.Context(), rotated, operator, ""); codeOf(err) != "not_found" {
		t.Errorf("a rotation: %v", err)
	}
	keys, err := p.rotator(t).List(t.Context(), revoked)
	check(t, err)
	if _, err := p.doomedBy(t, revoked).Revoke(t.Context(), revoked, operator, keys[0].KID); codeOf(err) != "not_found" {
		t.Errorf("a revocation: %v", err)
	}
	r := p.rotator(t)
	check(t, r.see(t.Context(), stepped.ID, map[string]bool{}, func(ctx context.Context, tenant Tenant) error {
		if _, err := p.provision.Delete(ctx, byNobody, tenant.ID); err != nil {
			return err
		}
		if _, err := r.note(ctx, tenant.ID, time.Time{}, p.clock.now()); codeOf(err) != "not_found" {
			t.Errorf("a note: %v", err)
		}
		return r.Advance(ctx, tenant)
	}))
	check(t, r.putOff(t.Context(), stepped.ID))
}

// TestKeysThatOthersKeepChanging: one who finds something else to do again and again says so, and not that something is broken.
func TestKeysThatOthersKeepChanging(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	r := p.rotator(t)
	check(t, r.Advance(t.Context(), tenant))
	r.Now = func() time.Time {
		p.do(t, `update control.key_steps set due_at = due_at + interval '1 second' where tenant_id = $1`, tenant.ID)
		return p.clock.now()
	}
	if e := problem.From(r.Advance(t.Context(), tenant)); e == nil || e.Code != "unavailable" || e.RetryAfter <= 0 {
		t.Errorf("told is %v", e)
	}
}

// TestKeysOfATenantThatIsToBeDeletedStay until it is restored, as everything of it does.
func TestKeysOfATenantThatIsToBeDeletedStay(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	tenant := p.tenant(t)
	_, err := p.provision.DeleteLater(t.Context(), byNobody, tenant.ID, time.Hour)
	check(t, err)
	doomed, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	r := p.rotator(t)
	if _, err := r.Rotate(t.Context(), doomed, operator, ""); codeOf(err) != "tenant_deleting" {
		t.Errorf("a rotation: %v", err)
	}
	if _, err := r.Revoke(t.Context(), doomed, operator, "any"); codeOf(err) != "tenant_deleting" {
		t.Errorf("a revocation: %v", err)
	}
	p.wantStates(t, tenant, "ES256 active")
	check(t, p.provision.Restore(t.Context(), byNobody, tenant.ID))
}
