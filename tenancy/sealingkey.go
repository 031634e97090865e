package tenancy

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// SealingKeys knows which version of each tenant's sealing key is the newest, so that what was made with an older one can be made
// anew where it is at hand. A serving replica may not read keys: it asks for a mac, whose answer says what it was made with.
type SealingKeys struct{ *PerTenant[int] }

// sealingTrust is how long the newest version is believed where nobody announces another. To be late is no harm.
const sealingTrust = time.Hour

// NewSealingKeys makes a SealingKeys.
func NewSealingKeys(keys custody.Custodian, now func() time.Time) SealingKeys {
	return SealingKeys{NewPerTenant(func(ctx context.Context, t Tenant) (int, error) {
		_, version, err := keys.HMAC(ctx, t.ID, 0, []byte("gatehouse/newest-version/1\x00"))
		return version, KeysError(err)
	}).Within(sealingTrust, now)}
}

// Behind reports whether there is a newer version than this. Where it cannot be known there is none.
func (s SealingKeys) Behind(ctx context.Context, t Tenant, version int) bool {
	newest, err := s.Of(ctx, t)
	return err == nil && version < newest
}

// RotateSealing gives a tenant another version of its sealing key: what is sealed and peppered from now on is so with that one.
// What older versions made is made anew when it is used, and older versions go on working for it. One that was interrupted
// may be repeated: a version more does no harm.
func (r *Rotator) RotateSealing(ctx context.Context, t Tenant, by Actor) (version int, err error) {
	told := r.Outbox.bundle()
	err = r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		platform, err := platformID(ctx, tx)
		if err != nil || platform.IsZero() {
			return err
		}
		return told.put(ctx, tx, platform, Event{Action: "sealing_key.rotate_requested", Actor: by, ResourceType: "tenant", ResourceID: t.ID.String(), At: r.now()})
	})
	if err != nil {
		return 0, err
	}
	defer told.deliver(ctx)
	if version, err = r.Keys.RotateSealing(ctx, t.ID); err != nil {
		return 0, KeysError(err)
	}
	if err := r.step("sealing"); err != nil {
		return 0, err
	}
	e := Event{Action: "sealing_key.rotated", Actor: Actor{Type: by.Type}, ResourceType: "sealing_key", At: r.now(), Metadata: map[string]any{"version": version}}
	return version, r.DB.InTx(ctx, t, func(ctx context.Context, tx Tx) error {
		if err := Announce(ctx, tx); err != nil {
			return err
		}
		return r.record(ctx, tx, e)
	})
}
