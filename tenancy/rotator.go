package tenancy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Rotator takes tenants' signing keys through their life (see [KeyState]), by request and by age.
//
// Every step is decided from what is stored, by whoever comes first after its time, and taken in one transaction that holds the
// tenant's keys. What somebody asks for is written down before anything is done about it. So a step needs no replica that lives
// on, and two that race take it once. Custody is asked outside of transactions: the key of a version is made first and recorded
// after, and whoever finds no record of it asks for the same version and gets the same key.
type Rotator struct{ RotatorOptions }

// RotatorOptions configures NewRotator.
type RotatorOptions struct {
	DB        *DB
	Directory *Directory
	Control   ProvisioningDB // the tenant's record follows the algorithm of its key
	Keys      custody.Keymaster
	Outbox    *Outbox // to the audit logs
	Times     KeyTimes
	Now       func() time.Time
	Log       *slog.Logger

	// afterStep is called after each step; tests crash there.
	afterStep func(step string) error
}

// NewRotator makes a Rotator.
func NewRotator(o RotatorOptions) *Rotator { return &Rotator{o} }

// keyRequest is what somebody asked for.
type keyRequest struct {
	id        [16]byte
	tenant    id.Tenant
	kind      string // rotate or revoke
	algorithm custody.Algorithm
	kid       string
	version   int // of a rotation: the newest key there was
	by        ActorType
	at        time.Time
}

// List is all keys of a tenant, oldest first.
func (r *Rotator) List(ctx context.Context, t Tenant) ([]SigningKeyRecord, error) {
	var keys signingKeys
	err := r.DB.InBatch(ctx, t, func(b *Batch) { readSigningKeys(b, &keys) })
	return keys, err
}

// Rotate begins a rotation: the next key is published, and the rest happens in its time. An empty algorithm is the one the
// tenant has. While a rotation is under way asking again changes nothing. It returns the published key. Errors: 400 for an
// unknown algorithm; 409 rotation_under_way where the one under way is to another algorithm; 409 tenant_deleting; 503, after which the rotation may
// have begun, or begin by itself a little later.
func (r *Rotator) Rotate(ctx context.Context, t Tenant, by Actor, alg custody.Algorithm) (*SigningKeyRecord, error) {
	if alg != "" && !alg.Valid() {
		return nil, problem.Field("algorithm", "must be ES256, EdDSA or RS256")
	}
	if t.State == Deleting {
		return nil, tenantDeleting()
	}
	published, newest, err := r.underWay(ctx, t, alg)
	if err != nil || published != nil {
		return published, err
	}
	if err := r.Keys.Ready(ctx); err != nil {
		return nil, KeysError(err)
	}
	if err := r.fulfil(ctx, t, by, keyRequest{kind: "rotate", algorithm: alg, version: newest}); err != nil {
		return nil, err
	}
	published, _, err = r.underWay(ctx, t, alg)
	if err == nil && published == nil {
		err = problem.Unavailable(time.Second, errors.New("tenancy: the published key was revoked at once"))
	}
	return published, err
}

// underWay is the published key, if there is one, and the version of the newest there is.
func (r *Rotator) underWay(ctx context.Context, t Tenant, alg custody.Algorithm) (published *SigningKeyRecord, newest int, err error) {
	keys, err := r.List(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	published = signingKeys(keys).in(KeyPublished)
	if published != nil && alg != "" && published.Algorithm != alg {
		return nil, 0, problem.New(problem.KindConflict, "rotation_under_way", "A rotation to another algorithm is under way. Wait until it is done, or revoke its key.")
	}
	return published, signingKeys(keys).newest(), nil
}

// Revoke ends a key at once: verifiers are not told of it any more, and what it signed is refused here, at every replica within
// a minute. Where it was the one that signs, the next takes its place without having been told in advance, so verifiers that
// keep keys for their time may refuse new tokens until they fetch them again. Revoking a key again changes nothing. Errors:
// ErrUnknown for a key the tenant never had; 409 tenant_deleting; 503.
func (r *Rotator) Revoke(ctx context.Context, t Tenant, by Actor, kid string) (*SigningKeyRecord, error) {
	if t.State == Deleting {
		return nil, tenantDeleting()
	}
	keys, err := r.List(ctx, t)
	if err != nil {
		return nil, err
	}
	if k := signingKeys(keys).byKID(kid); k == nil {
		return nil, ErrUnknown
	} else if k.State != KeyRevoked || signingKeys(keys).in(KeyActive) == nil {
		if err := r.fulfil(ctx, t, by, keyRequest{kind: "revoke", kid: kid}); err != nil {
			return nil, err
		}
	}
	keys, err = r.List(ctx, t)
	return signingKeys(keys).byKID(kid), err
}

var asked = map[string]Action{"rotate": "signing_key.rotate_requested", "revoke": "signing_key.revoke_requested"}

// fulfil writes a request down, with who asked in the platform's log, and then does it. What it leaves undone, whichever replica
// comes next does.
func (r *Rotator) fulfil(ctx context.Context, t Tenant, by Actor, q keyRequest) error {
	// The client may leave; a key that is to be revoked must be.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	q.id, q.tenant, q.by, q.at = newKeyRequestID(), t.ID, by.Type, r.now()
	if by.Type != ByOperator { // who it was is the platform's to know
		q.by = ByPlatform
	}
	told := r.Outbox.bundle()
	err := r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		if err := insertKeyRequest(ctx, tx, q); err != nil {
			return err
		}
		platform, err := platformID(ctx, tx)
		if err != nil || platform.IsZero() {
			return err
		}
		e := Event{Action: asked[q.kind], Actor: by, ResourceType: "tenant", ResourceID: t.ID.String(), At: q.at}
		if q.kid != "" {
			e = e.With("kid", q.kid)
		}
		if q.algorithm != "" {
			e = e.With("algorithm", q.algorithm)
		}
		return told.put(ctx, tx, platform, e)
	})
	if err != nil {
		return err
	}
	defer told.deliver(ctx) // first what is urgent
	if err := r.step("asked"); err != nil {
		return err
	}
	return r.perform(ctx, t, q)
}

// perform does what was asked for. It may be done again, by anyone.
func (r *Rotator) perform(ctx context.Context, t Tenant, q keyRequest) (err error) {
	if q.kind == "revoke" {
		err = r.revoke(ctx, t, q)
	} else {
		err = r.publish(ctx, t, q)
	}
	if err == nil {
		err = r.Advance(ctx, t)
	}
	if err != nil {
		return err
	}
	return r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error { return deleteKeyRequest(ctx, tx, q) })
}

// publish makes the next key and tells verifiers of it, unless a rotation is under way, or one was begun since it was asked for.
func (r *Rotator) publish(ctx context.Context, t Tenant, q keyRequest) error {
	keys, err := r.List(ctx, t)
	if err != nil {
		return err
	}
	if signingKeys(keys).newest() > q.version || signingKeys(keys).in(KeyPublished) != nil {
		return nil
	}
	return r.add(ctx, t, keys, q.algorithm, KeyPublished, q.by)
}

// add makes a key in custody, then records it in the state wanted, if nobody else was faster.
func (r *Rotator) add(ctx context.Context, t Tenant, keys signingKeys, alg custody.Algorithm, state KeyState, by ActorType) error {
	made, err := r.make(ctx, t, keys, alg)
	if err != nil {
		return KeysError(err)
	}
	if err := r.step("made"); err != nil {
		return err
	}
	jwk, err := made.JWK()
	if err != nil {
		return err
	}
	now := r.now()
	k := SigningKeyRecord{KID: made.KeyID(), Version: made.Version, Algorithm: made.Algorithm, JWK: string(jwk), State: state, CreatedAt: now}
	if state == KeyPublished {
		k.DueAt = after(now, r.Times.Publish)
	}
	err = r.DB.InTx(ctx, t, func(ctx context.Context, tx Tx) error {
		added, err := addSigningKey(ctx, tx, k)
		if err != nil || !added {
			return err
		}
		return r.tell(ctx, tx, k, by)
	})
	if err != nil {
		return err
	}
	return r.step(string(state))
}

// make asks custody for the key of the next version. One that is there and of another algorithm was made by somebody who never
// came to record it, for a rotation to that algorithm: it is passed over.
func (r *Rotator) make(ctx context.Context, t Tenant, keys signingKeys, alg custody.Algorithm) (custody.PublicKey, error) {
	k := custody.SigningKey{Version: keys.newest() + 1, Algorithm: cmp.Or(alg, t.SigningAlgorithm)}
	if active := keys.in(KeyActive); alg == "" && active != nil {
		k.Algorithm = active.Algorithm
	}
	for {
		made, err := r.Keys.AddSigning(ctx, t.ID, k)
		if !errors.Is(err, custody.ErrOtherAlgorithm) {
			return made, err
		}
		k.Version++
	}
}

func (r *Rotator) revoke(ctx context.Context, t Tenant, q keyRequest) error {
	err := r.DB.InTx(ctx, t, func(ctx context.Context, tx Tx) error {
		keys, err := lockSigningKeys(ctx, tx)
		if err != nil {
			return err
		}
		k := keys.byKID(q.kid)
		if k == nil || k.State == KeyRevoked {
			return nil
		}
		if err := moveSigningKey(ctx, tx, k.KID, KeyRevoked, r.now(), nil); err != nil {
			return err
		}
		k.State = KeyRevoked
		return r.tell(ctx, tx, *k, q.by)
	})
	if err != nil {
		return err
	}
	return r.step("revoked")
}

// mostSteps is how many steps one call takes of one tenant. Few are ever due at once; more are taken where others do something to
// the same keys all the while, and it is then they who take the last.
const mostSteps = 10

// Advance takes the steps of a tenant that are due, and notes when the next one will be. Errors: ErrUnknown for a tenant that was
// deleted meanwhile; 503, also where the keys do not come to rest for what others do to them.
func (r *Rotator) Advance(ctx context.Context, t Tenant) error {
	for range mostSteps {
		noted, err := r.noted(ctx, t.ID)
		if err != nil {
			return err
		}
		keys, step, at, err := r.turn(ctx, t)
		if err != nil {
			return err
		}
		if step != stepNone {
			if err := r.step(string(step)); err != nil {
				return err
			}
		}
		switch step {
		case stepRotate:
			err = r.add(ctx, t, keys, "", KeyPublished, BySystem)
		case stepReplace:
			err = r.add(ctx, t, keys, "", KeyActive, BySystem)
		case stepNone:
			if err := r.follow(ctx, t, keys.in(KeyActive).Algorithm); err != nil {
				return err
			}
			done, err := r.note(ctx, t.ID, noted, at)
			if err != nil || done {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return problem.Unavailable(time.Second, errors.New("tenancy: the keys of "+t.ID.String()+" do not come to rest"))
}

// turn takes the next step if it needs nothing but the tenant's schema, and tells which it is.
func (r *Rotator) turn(ctx context.Context, t Tenant) (keys signingKeys, step keyStep, at time.Time, err error) {
	err = r.DB.InTx(ctx, t, func(ctx context.Context, tx Tx) (err error) {
		if keys, err = lockSigningKeys(ctx, tx); err != nil {
			return err
		}
		now := r.now()
		switch step, at = keys.next(now, r.life(t)); step {
		case stepActivate:
			return r.activate(ctx, tx, keys, now)
		case stepRetire:
			return r.retire(ctx, tx, keys, now)
		}
		return nil
	})
	return keys, step, at, err
}

// activate makes the published key the one that signs. The one before goes first, for there is never more than one.
func (r *Rotator) activate(ctx context.Context, tx Tx, keys signingKeys, now time.Time) error {
	if was := keys.in(KeyActive); was != nil {
		if err := moveSigningKey(ctx, tx, was.KID, KeyRetiring, now, after(now, r.Times.Retire)); err != nil {
			return err
		}
	}
	k := keys.in(KeyPublished)
	if err := moveSigningKey(ctx, tx, k.KID, KeyActive, now, nil); err != nil {
		return err
	}
	k.State = KeyActive
	return r.tell(ctx, tx, *k, BySystem)
}

func (r *Rotator) retire(ctx context.Context, tx Tx, keys signingKeys, now time.Time) error {
	for _, k := range keys {
		if k.State != KeyRetiring || !k.due(now) {
			continue
		}
		if err := moveSigningKey(ctx, tx, k.KID, KeyRetired, now, nil); err != nil {
			return err
		}
		k.State = KeyRetired
		if err := r.tell(ctx, tx, k, BySystem); err != nil {
			return err
		}
	}
	return nil
}

// tell puts what became of a key into the tenant's log and announces it.
func (r *Rotator) tell(ctx context.Context, tx Tx, k SigningKeyRecord, by ActorType) error {
	if err := Announce(ctx, tx); err != nil {
		return err
	}
	did := map[KeyState]Action{KeyPublished: "signing_key.published", KeyActive: "signing_key.activated", KeyRetired: "signing_key.retired", KeyRevoked: "signing_key.revoked"}
	e := Event{Action: did[k.State], Actor: Actor{Type: by}, ResourceType: "signing_key", ResourceID: k.KID, At: r.now(),
		Metadata: map[string]any{"algorithm": k.Algorithm}}
	return r.record(ctx, tx, e)
}

// record puts an event into the log of the transaction's tenant.
func (r *Rotator) record(ctx context.Context, tx Tx, e Event) error {
	if r.Outbox == nil {
		return nil
	}
	_, text, err := r.Outbox.Ledger.Draft(ctx, tx.Tenant().ID, e)
	if err != nil {
		return err
	}
	return r.Outbox.Ledger.Append(ctx, tx, text)
}

// follow lets the tenant's record say the algorithm of its key.
func (r *Rotator) follow(ctx context.Context, t Tenant, alg custody.Algorithm) error {
	if t.SigningAlgorithm == alg {
		return nil
	}
	err := r.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error { return updateAlgorithm(ctx, tx, t.ID, alg, r.now()) })
	if err != nil {
		return err
	}
	return r.step("followed")
}

// life is the age at which the tenant's key is replaced: tenants made at once do not rotate at once, but within the last tenth
// of the time.
func (r *Rotator) life(t Tenant) time.Duration {
	share := float64(t.ID[len(t.ID)-1]) / 256 // the last bytes of an id are random
	return r.Times.Life - time.Duration(share*float64(r.Times.Life/10))
}

// now is in the precision that Postgres keeps.
func (r *Rotator) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

func (r *Rotator) step(name string) error {
	if r.afterStep == nil {
		return nil
	}
	return r.afterStep(name)
}

func after(now time.Time, d time.Duration) *time.Time {
	at := now.Add(d)
	return &at
}
