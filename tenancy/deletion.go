package tenancy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// A tenant is deleted in five steps, each of which may be repeated by anyone:
//
//  1. begin      one transaction in the directory: the record makes way for a row of deletions. From then on the tenant is
//     known to nobody, its credentials are those of nobody, its slug is parked and its domains are free
//  2. inventory  what there is of it is counted and noted
//  3. keys       both its keys are destroyed in custody: copies of its data, backups too, are worthless now
//  4. schema     one transaction in its database: its mails under way, its schema, its role
//  5. receipt    what was destroyed, and when, signed by the platform's key
//
// A crash leaves a row without a receipt, and any replica's [Provisioner.DestroyAll] goes on from there. Of two that do, the
// first to note a step is believed.
//
// With a grace period it does not begin at once: the tenant is Deleting, answers like one that was deleted, and can be restored
// until then.

// Deletion is what is known of a tenant's end, past, to come or only imagined.
type Deletion struct {
	Tenant    id.Tenant
	Slug      Slug
	State     State      // Deleted, Deleting, or of a dry run what the tenant is
	After     *time.Time // of one to come: when it begins
	DeletedAt *time.Time // when it began
	Inventory *Inventory // nil where nothing was counted yet
	Receipt   string     // of one that is done
}

// maxGrace bounds how long a deletion can be put off.
const maxGrace = 365 * 24 * time.Hour

// errNotDue: somebody has restored the tenant, or put its end off.
var errNotDue = errors.New("tenancy: the tenant is not to be deleted now")

// Delete deletes a tenant for ever and returns with the receipt. Of a tenant that was deleted it is the same again. Errors:
// ErrUnknown; 409 platform_protected; 503 while a dependency is down, in which case it goes on later, by itself or when asked
// again.
func (p *Provisioner) Delete(ctx context.Context, by Actor, t id.Tenant) (Deletion, error) {
	if err := p.Keys.Ready(ctx); err != nil {
		return Deletion{}, KeysError(err)
	}
	d, err := p.begin(ctx, by, t, nil)
	if err != nil {
		return Deletion{}, err
	}
	return p.destroyNow(ctx, d)
}

// begin replaces a tenant's record by the one of its deletion, or reads that one. due, if not nil, is the time at which the
// grace period must have ended.
func (p *Provisioner) begin(ctx context.Context, by Actor, t id.Tenant, due *time.Time) (d deletion, err error) {
	told := p.Outbox.bundle()
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		doomed, err := lockDoomed(ctx, tx, t)
		if errors.Is(err, ErrUnknown) {
			d, err = readDeletion(ctx, tx, t)
			return err
		}
		if err != nil {
			return err
		}
		if due != nil && (doomed.After == nil || doomed.After.After(*due)) {
			return errNotDue
		}
		platform, err := p.undertaker(ctx, tx, doomed)
		if err != nil {
			return err
		}
		now := p.Now().UTC().Truncate(time.Microsecond)
		if d, err = bury(ctx, tx, t, now); err != nil {
			return err
		}
		return told.put(ctx, tx, platform, Event{Action: "tenant.deleted", Actor: by, ResourceType: "tenant", ResourceID: t.String(), At: now}.With("slug", d.Slug))
	})
	if err == nil {
		told.deliver(ctx)
	}
	return d, err
}

// undertaker is the platform tenant, whose key signs the receipt and whose log keeps what happened. It cannot be deleted, so
// that there is one.
func (p *Provisioner) undertaker(ctx context.Context, tx provisionTx, doomed doomed) (id.Tenant, error) {
	if doomed.Master {
		return id.Tenant{}, problem.New(problem.KindConflict, "platform_protected", "The platform tenant cannot be deleted.")
	}
	platform, err := platformID(ctx, tx)
	if err == nil && platform.IsZero() {
		err = errors.New("tenancy: there is no platform tenant, whose key would sign the receipt")
	}
	return platform, err
}

// destroyNow is destroy for somebody who waits for it, but may leave: a tenant half destroyed helps nobody. What takes longer
// is left to DestroyAll.
func (p *Provisioner) destroyNow(ctx context.Context, d deletion) (Deletion, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return p.destroy(ctx, d)
}

// destroy takes a deletion that has begun through the other steps.
func (p *Provisioner) destroy(ctx context.Context, d deletion) (Deletion, error) {
	for _, s := range []struct {
		name string
		done bool
		do   func(context.Context, deletion) (deletion, error)
	}{
		{"begin", false, func(_ context.Context, d deletion) (deletion, error) { return d, nil }},
		{"inventory", d.Inventory != "", p.noteInventory},
		{"destroyed keys", d.KeysDestroyedAt != nil, p.destroyKeys},
		{"dropped schema", d.SchemaDroppedAt != nil, p.dropSchema},
		{"receipt", d.Receipt != "", p.closeDeletion},
	} {
		if s.done {
			continue
		}
		var err error
		if d, err = s.do(ctx, d); err != nil {
			return Deletion{}, fmt.Errorf("tenancy: deletion of %s, %s: %w", d.Tenant, s.name, err)
		}
		if err := p.step(s.name); err != nil {
			return Deletion{}, err
		}
	}
	return d.public()
}

func (p *Provisioner) noteInventory(ctx context.Context, d deletion) (deletion, error) {
	v, err := p.inventory(ctx, d.Tenant, d.Database, d.Region)
	if err != nil {
		// The race: another replica was faster, and what was being counted is gone.
		if now, again := p.readDeletion(ctx, d.Tenant); again == nil && now.Inventory != "" {
			return now, nil
		}
		return d, err
	}
	v.Domains = d.Domains
	text, err := json.Marshal(v)
	if err != nil {
		return d, err
	}
	return p.note(ctx, d.Tenant, "inventory", string(text))
}

func (p *Provisioner) destroyKeys(ctx context.Context, d deletion) (deletion, error) {
	if err := p.Keys.Destroy(ctx, d.Tenant); err != nil {
		return d, KeysError(err)
	}
	return p.note(ctx, d.Tenant, "keys_destroyed_at", p.Now())
}

func (p *Provisioner) dropSchema(ctx context.Context, d deletion) (deletion, error) {
	if err := p.drop(ctx, d.Tenant, d.Database); err != nil {
		return d, err
	}
	// The race: a rotation was under way, and made a key while the others were destroyed. It has no schema to go on in now.
	if err := p.Keys.Destroy(ctx, d.Tenant); err != nil {
		return d, KeysError(err)
	}
	return p.note(ctx, d.Tenant, "schema_dropped_at", p.Now())
}

// closeDeletion signs the receipt and files it, once, with its digest in the platform's log: who can forge neither can forge
// what was destroyed. The race: two replicas have both signed. What they signed is equally true; the first one stays.
func (p *Provisioner) closeDeletion(ctx context.Context, d deletion) (deletion, error) {
	jws, platform, err := p.Receipts.issue(ctx, d)
	if err != nil {
		return d, err
	}
	told := p.Outbox.bundle()
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		first, err := fileReceipt(ctx, tx, d.Tenant, jws)
		if err != nil || !first {
			return err
		}
		e := Event{Action: "tenant.destroyed", Actor: Actor{Type: BySystem}, ResourceType: "tenant", ResourceID: d.Tenant.String(), At: p.Now()}
		return told.put(ctx, tx, platform, e.With("receipt_sha256", digest(jws)))
	})
	if err != nil {
		return d, err
	}
	told.deliver(ctx)
	return p.readDeletion(ctx, d.Tenant)
}

// Preview is what Delete would destroy, or has destroyed. Nothing is changed.
func (p *Provisioner) Preview(ctx context.Context, t id.Tenant) (Deletion, error) {
	found, err := p.readDoomed(ctx, t)
	if errors.Is(err, ErrUnknown) {
		d, err := p.readDeletion(ctx, t)
		if err != nil {
			return Deletion{}, err
		}
		return d.public()
	}
	if err != nil {
		return Deletion{}, err
	}
	if found.Master {
		return Deletion{}, problem.New(problem.KindConflict, "platform_protected", "The platform tenant cannot be deleted.")
	}
	v, err := p.inventory(ctx, t, found.Database, found.Region)
	if err != nil {
		return Deletion{}, err
	}
	v.Domains = found.Domains
	return Deletion{Tenant: t, Slug: found.Slug, State: found.State, After: found.After, Inventory: &v}, nil
}

// DeleteLater has a tenant deleted when a grace period has passed. Until then it answers like one that was deleted and can be
// restored. Of one that is to be deleted already the time stays what it was. Errors: those of Delete.
func (p *Provisioner) DeleteLater(ctx context.Context, by Actor, t id.Tenant, grace time.Duration) (Deletion, error) {
	told := p.Outbox.bundle()
	var found doomed
	err := p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) (err error) {
		if found, err = lockDoomed(ctx, tx, t); err != nil || found.State == Deleting {
			return err
		}
		if _, err := p.undertaker(ctx, tx, found); err != nil {
			return err
		}
		now := p.Now().UTC().Truncate(time.Microsecond)
		after := now.Add(grace)
		found.After = &after
		if err := condemn(ctx, tx, t, after, now); err != nil {
			return err
		}
		e := Event{Action: "tenant.deletion_scheduled", Actor: by, ResourceType: "tenant", ResourceID: t.String(), At: now}
		return tell(ctx, tx, told, Tenant{ID: t}, e.With("delete_after", after.Format(time.RFC3339)))
	})
	if errors.Is(err, ErrUnknown) {
		d, err := p.readDeletion(ctx, t)
		if err != nil {
			return Deletion{}, err
		}
		return p.destroyNow(ctx, d)
	}
	if err != nil {
		return Deletion{}, err
	}
	told.deliver(ctx)
	return Deletion{Tenant: t, Slug: found.Slug, State: Deleting, After: found.After}, nil
}

// Restore gives a tenant that is to be deleted back to its people, as it was. One that is not stays as it is. Errors:
// ErrUnknown, also of a tenant whose deletion has begun.
func (p *Provisioner) Restore(ctx context.Context, by Actor, t id.Tenant) error {
	told := p.Outbox.bundle()
	err := p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		found, err := lockDoomed(ctx, tx, t)
		if err != nil || found.State != Deleting {
			return err
		}
		now := p.Now()
		if err := reprieve(ctx, tx, t, now); err != nil {
			return err
		}
		return tell(ctx, tx, told, Tenant{ID: t}, Event{Action: "tenant.restored", Actor: by, ResourceType: "tenant", ResourceID: t.String(), At: now})
	})
	if err == nil {
		told.deliver(ctx)
	}
	return err
}

// longestEnd is how long DestroyAll works on one tenant: one with many millions of rows, all of which are counted, is destroyed too.
const longestEnd = 10 * time.Minute

// DestroyAll begins the deletions whose grace period has passed, and goes on with those that began more than age ago and were
// left undone. When ctx ends it ends, between steps or in one.
func (p *Provisioner) DestroyAll(ctx context.Context, age time.Duration) error {
	now := p.Now()
	due, left, err := p.toDestroy(ctx, now, now.Add(-age))
	if err != nil {
		return err
	}
	var failed []error
	for _, t := range due {
		d, err := p.begin(ctx, Actor{Type: BySystem}, t, &now)
		if err == nil {
			left = append(left, d)
		} else if !errors.Is(err, errNotDue) {
			failed = append(failed, err)
		}
	}
	passed := absences{}
	for _, d := range left {
		if ctx.Err() != nil {
			break // whoever comes next goes on
		}
		if d.SchemaDroppedAt == nil && passed.over(ctx, p, d.Database) {
			continue
		}
		patient, cancel := context.WithTimeout(ctx, longestEnd)
		_, err := p.destroy(patient, d)
		cancel()
		if err != nil {
			failed = append(failed, err)
			continue
		}
		p.Log.LogAttrs(ctx, slog.LevelInfo, "deletion: a tenant is destroyed", slog.String("tenant", d.Tenant.String()))
	}
	return passed.with(failed)
}

// public is a deletion as it is told.
func (d deletion) public() (Deletion, error) {
	told := Deletion{Tenant: d.Tenant, Slug: d.Slug, State: Deleted, DeletedAt: &d.DeletedAt, Receipt: d.Receipt}
	if d.Inventory == "" {
		return told, nil
	}
	told.Inventory = &Inventory{}
	return told, json.Unmarshal([]byte(d.Inventory), told.Inventory)
}

// takeBack destroys what a late finisher has made of a tenant that was finished by another, used and deleted meanwhile.
func (p *Provisioner) takeBack(ctx context.Context, t Tenant) error {
	if _, err := p.readDeletion(ctx, t.ID); err != nil {
		if errors.Is(err, ErrUnknown) {
			return nil // in use, or given up
		}
		return err
	}
	return errors.Join(KeysError(p.Keys.Destroy(ctx, t.ID)), p.drop(ctx, t.ID, t.Database))
}
