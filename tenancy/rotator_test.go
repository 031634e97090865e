package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

var testTimes = NewKeyTimes(time.Hour, 90*24*time.Hour)

// rotator is one of a replica: pools and memory of its own, the test's clock.
func (p *platform) rotator(t testing.TB) *Rotator {
	t.Helper()
	return NewRotator(RotatorOptions{DB: p.db, Directory: p.directory, Control: p.provisioning, Keys: p.options.Keys,
		Times: testTimes, Now: p.clock.now, Log: slog.New(slog.DiscardHandler)})
}

// dying dies after a step.
func (p *platform) dying(t testing.TB, step string) *Rotator {
	t.Helper()
	r := p.rotator(t)
	r.afterStep = func(done string) error {
		if done == step {
			return errCrash
		}
		return nil
	}
	return r
}

// states is what a tenant's keys are, oldest first, as "ES256 active".
func (p *platform) states(t testing.TB, tenant Tenant) string {
	t.Helper()
	keys, err := p.rotator(t).List(t.Context(), tenant)
	check(t, err)
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = fmt.Sprintf("%s %s", k.Algorithm, k.State)
	}
	return strings.Join(words, ", ")
}

func (p *platform) wantStates(t testing.TB, tenant Tenant, want string) {
	t.Helper()
	if got := p.states(t, tenant); got != want {
		t.Fatalf("the keys are %s; want %s", got, want)
	}
}

// round is what any replica does by itself.
func (p *platform) round(t testing.TB) {
	t.Helper()
	check(t, p.rotator(t).Round(t.Context()))
}

var operator = Actor{Type: ByOperator}

func TestAKeyIsRotated(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	k, err := p.rotator(t).Rotate(t.Context(), tenant, operator, custody.EdDSA)
	check(t, err)
	if k.State != KeyPublished || k.DueAt.Sub(k.Since) != 2*JWKSMaxAge {
		t.Errorf("published is %+v", k)
	}
	p.wantStates(t, tenant, "ES256 active, EdDSA published")
	again, err := p.rotator(t).Rotate(t.Context(), tenant, operator, "")
	check(t, err)
	if again.KID != k.KID {
		t.Errorf("asked again there is another key, %s", again.KID)
	}
	if _, err := p.rotator(t).Rotate(t.Context(), tenant, operator, custody.RS256); !problem.Is(err, "rotation_under_way") {
		t.Errorf("another algorithm: %v", err)
	}

	p.clock.advance(2*JWKSMaxAge - 5*time.Second)
	p.round(t)
	p.wantStates(t, tenant, "ES256 active, EdDSA published")
	p.clock.advance(5 * time.Second)
	p.round(t)
	p.wantStates(t, tenant, "ES256 retiring, EdDSA active")
	now, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	if now.SigningAlgorithm != custody.EdDSA {
		t.Errorf("the record says %s", now.SigningAlgorithm)
	}
	keys, err := NewKeyring(p.db, p.clock.now).Of(t.Context(), tenant)
	check(t, err)
	if !slices.Equal(keys.Algorithms, []custody.Algorithm{custody.EdDSA, custody.ES256}) || len(keys.Public) != 2 {
		t.Errorf("verifiers are told %+v", keys)
	}
	if _, err := p.runtime.Sign(t.Context(), tenant.ID, keys.Active.SigningKey, []byte("x")); err != nil {
		t.Errorf("signing with the new key: %v", err)
	}

	p.clock.advance(testTimes.Retire)
	p.round(t)
	p.wantStates(t, tenant, "ES256 retired, EdDSA active")
	history, err := NewKeyring(p.db, p.clock.now).History(t.Context(), tenant)
	check(t, err)
	if len(history) != 2 {
		t.Errorf("a seal of the retired key cannot be checked: %s", history)
	}
}

// A rotation to an algorithm and back again is three keys.
func TestEveryAlgorithmFollowsEveryOther(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	for _, alg := range []custody.Algorithm{custody.EdDSA, custody.RS256, custody.ES256, custody.ES256} {
		_, err := p.rotator(t).Rotate(t.Context(), tenant, operator, alg)
		check(t, err)
		p.clock.advance(testTimes.Publish)
		p.round(t)
		p.clock.advance(testTimes.Retire)
		p.round(t)
	}
	p.wantStates(t, tenant, "ES256 retired, EdDSA retired, RS256 retired, ES256 retired, ES256 active")
}

func TestOldKeysAreRotated(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	p.round(t)
	p.clock.advance(testTimes.Life * 89 / 100)
	p.round(t)
	p.wantStates(t, tenant, "ES256 active")
	p.clock.advance(testTimes.Life * 11 / 100)
	p.round(t)
	p.wantStates(t, tenant, "ES256 active, ES256 published")

	never := p.rotator(t)
	never.Times.Life = 0
	other := p.tenant(t)
	p.clock.advance(10 * testTimes.Life)
	check(t, never.Advance(t.Context(), other))
	p.wantStates(t, other, "ES256 active")
}

// Whatever step a process dies after, another one brings the same rotation to its end, with no key more than without the crash.
func TestRotationsSurviveCrashes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for _, step := range []string{"asked", "made", "published", "activate", "followed", "retire"} {
		p.rotateDying(t, step) // one after the other, for they have one clock
	}
}

func (p *platform) rotateDying(t *testing.T, step string) {
	t.Helper()
	t.Logf("dying after %s", step)
	tenant := p.tenant(t)
	crashed := false
	see := func(err error) {
		t.Helper()
		if errors.Is(err, errCrash) {
			crashed = true
		} else {
			check(t, err)
		}
	}
	_, err := p.dying(t, step).Rotate(t.Context(), tenant, operator, custody.EdDSA)
	see(err)
	p.clock.advance(ownRequest)
	p.round(t)
	p.wantStates(t, tenant, "ES256 active, EdDSA published")
	p.clock.advance(testTimes.Publish)
	for _, wait := range []time.Duration{0, testTimes.Retire} {
		p.clock.advance(wait)
		fresh, err := p.directory.Read(t.Context(), tenant.ID)
		check(t, err)
		see(p.dying(t, step).Advance(t.Context(), fresh))
		p.round(t)
	}
	if !crashed {
		t.Fatal("it never came to that step")
	}
	p.wantStates(t, tenant, "ES256 retired, EdDSA active")
	p.settled(t, tenant)
	p.wantKeys(t, tenant, 2)
}

// wantKeys: custody has so many signing keys of the tenant.
func (p *platform) wantKeys(t testing.TB, tenant Tenant, want int) {
	t.Helper()
	if keys, err := p.options.Keys.PublicKeys(t.Context(), tenant.ID); err != nil || len(keys) != want {
		t.Errorf("custody has %d keys and not %d: %v", len(keys), want, err)
	}
}

// settled: nothing is left to do, and the record says what the key is.
func (p *platform) settled(t testing.TB, tenant Tenant) {
	t.Helper()
	if n := ask[int](t, p, "select count(*) from control.key_requests where tenant_id = $1", tenant.ID); n != 0 {
		t.Errorf("%d requests are left", n)
	}
	keys, err := p.rotator(t).List(t.Context(), tenant)
	check(t, err)
	alg := ask[custody.Algorithm](t, p, "select signing_algorithm from control.tenants where id = $1", tenant.ID)
	if k := signingKeys(keys).in(KeyActive); k == nil || k.Algorithm != alg {
		t.Errorf("the record says %s, the active key is %+v", alg, k)
	}
}

func TestRevocationsSurviveCrashes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for _, step := range []string{"asked", "revoked", "replace", "made", "active"} {
		t.Logf("dying after %s", step)
		tenant := p.tenant(t)
		keys, err := p.rotator(t).List(t.Context(), tenant)
		check(t, err)
		if _, err := p.dying(t, step).Revoke(t.Context(), tenant, operator, keys[0].KID); !errors.Is(err, errCrash) {
			t.Fatalf("it did not come to that step: %v", err)
		}
		p.clock.advance(ownRequest)
		p.round(t)
		p.wantStates(t, tenant, "ES256 revoked, ES256 active")
		p.settled(t, tenant)
		p.wantKeys(t, tenant, 2)
	}
}

// A rotation that nobody came to record leaves a key that the next one passes over where it is of another algorithm.
func TestAKeyThatNobodyRecordedIsPassedOver(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	_, err := p.options.Keys.AddSigning(t.Context(), tenant.ID, custody.SigningKey{Version: 2, Algorithm: custody.RS256})
	check(t, err)
	k, err := p.rotator(t).Rotate(t.Context(), tenant, operator, custody.EdDSA)
	check(t, err)
	if k.Version != 3 || k.Algorithm != custody.EdDSA {
		t.Errorf("published is %+v", k)
	}
}

func TestReplicasRaceThroughARotation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	const replicas = 6
	rotators := make([]*Rotator, replicas)
	for i := range rotators {
		rotators[i] = p.rotator(t)
	}
	inParallel(t, replicas, func(i int) error {
		_, err := rotators[i].Rotate(t.Context(), tenant, operator, custody.EdDSA)
		return err
	})
	p.wantStates(t, tenant, "ES256 active, EdDSA published")
	p.clock.advance(testTimes.Publish)
	inParallel(t, replicas, func(i int) error { return rotators[i].Round(t.Context()) })
	p.wantStates(t, tenant, "ES256 retiring, EdDSA active")
	p.clock.advance(testTimes.Retire)
	inParallel(t, replicas, func(i int) error { return rotators[i].Round(t.Context()) })
	p.wantStates(t, tenant, "ES256 retired, EdDSA active")
	p.settled(t, tenant)
	p.wantKeys(t, tenant, 2)
	// And a key is revoked by everybody while its successor is activated.
	k, err := rotators[0].Rotate(t.Context(), tenant, operator, custody.ES256)
	check(t, err)
	p.clock.advance(testTimes.Publish)
	inParallel(t, replicas, func(i int) error {
		if i%2 == 0 {
			_, err := rotators[i].Revoke(t.Context(), tenant, operator, k.KID)
			return err
		}
		return rotators[i].Round(t.Context())
	})
	keys, err := rotators[0].List(t.Context(), tenant)
	check(t, err)
	if signingKeys(keys).byKID(k.KID).State != KeyRevoked || signingKeys(keys).in(KeyActive) == nil {
		t.Errorf("the keys are %s", p.states(t, tenant))
	}
}

// Of two keys waiting their turn the one that is revoked is none: with the published one revoked the rotation is over, with the
// active one revoked the published one takes its place at once.
func TestARevokedKeyIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	r := p.rotator(t)
	keys, err := r.List(t.Context(), tenant)
	check(t, err)
	first, err := r.Rotate(t.Context(), tenant, operator, custody.EdDSA)
	check(t, err)
	_, err = r.Revoke(t.Context(), tenant, operator, first.KID)
	check(t, err)
	p.wantStates(t, tenant, "ES256 active, EdDSA revoked")
	_, err = r.Rotate(t.Context(), tenant, operator, custody.RS256)
	check(t, err)
	_, err = r.Revoke(t.Context(), tenant, operator, keys[0].KID)
	check(t, err)
	p.wantStates(t, tenant, "ES256 revoked, EdDSA revoked, RS256 active")
	p.settled(t, tenant)
	if _, err := r.Revoke(t.Context(), tenant, operator, "nobody's"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown key: %v", err)
	}
}

// A revocation does not wait for custody: the key is dead, nothing is signed, and what is public stays public, until custody is
// back.
func TestARevocationNeedsNoCustody(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	r := p.rotator(t)
	r.Keys = awayKeymaster{r.Keys}
	keys, err := r.List(t.Context(), tenant)
	check(t, err)
	if _, err := r.Revoke(t.Context(), tenant, operator, keys[0].KID); problem.From(err).Kind != problem.KindUnavailable {
		t.Errorf("without custody: %v", err)
	}
	p.wantStates(t, tenant, "ES256 revoked")
	public, err := NewKeyring(p.db, p.clock.now).Of(t.Context(), tenant)
	check(t, err)
	if len(public.Public) != 0 || string(public.JWKS) != `{"keys":[]}` {
		t.Errorf("verifiers are told %s", public.JWKS)
	}
	if _, err := public.Signer(); problem.From(err).Kind != problem.KindUnavailable {
		t.Errorf("there is a key to sign with: %v", err)
	}
	if _, err := r.Rotate(t.Context(), tenant, operator, ""); problem.From(err).Kind != problem.KindUnavailable {
		t.Errorf("a rotation without custody: %v", err)
	}
	p.clock.advance(ownRequest)
	p.round(t)
	p.wantStates(t, tenant, "ES256 revoked, ES256 active")
	p.settled(t, tenant)
}

// awayKeymaster is custody that cannot be reached.
type awayKeymaster struct{ custody.Keymaster }

func (awayKeymaster) Ready(context.Context) error { return custody.ErrUnavailable }
func (awayKeymaster) AddSigning(context.Context, id.Tenant, custody.SigningKey) (custody.PublicKey, error) {
	return custody.PublicKey{}, custody.ErrUnavailable
}

// A replica to which an announcement was lost, and one that hears none, know of a revocation within a minute.
func TestARevocationReachesTheDeaf(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	listen(t, p.directory)
	hearing := NewKeyring(p.db, p.clock.now)
	known, err := p.directory.ByID(t.Context(), tenant.ID)
	check(t, err)
	before, err := hearing.Of(t.Context(), known)
	check(t, err)

	p.do(t, "update "+namespace(tenant.ID)+".signing_keys set state = 'revoked'") // announced to nobody
	same, err := hearing.Of(t.Context(), known)
	check(t, err)
	if same != before {
		t.Fatal("what this test is about is not remembered")
	}
	p.clock.advance(59 * time.Second)
	for name, record := range map[string]Tenant{"lost": known, "deaf": tenant} {
		if keys, err := hearing.Of(t.Context(), record); err != nil || len(keys.Public) != 0 {
			t.Errorf("%s: %+v, %v", name, keys, err)
		}
	}
}

// Keys that did not change are not read again as long as the directory says so, and one that was revoked is not believed for longer
// than without: neither where the announcement was lost nor where the directory answers no more.
func TestKeysAreWatched(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, other := p.tenant(t), p.tenant(t)
	listen(t, p.directory)
	keyring := NewKeyring(p.db, p.clock.now)
	of := func(x Tenant) *Keys {
		known, err := p.directory.ByID(t.Context(), x.ID)
		check(t, err)
		keys, err := keyring.Of(t.Context(), known)
		check(t, err)
		return keys
	}
	p.round(t) // else the tenants are looked at for the first time
	check(t, keyring.look(t.Context(), p.directory))
	p.do(t, "update control.key_steps set changed_at = now() - interval '1 hour'")
	check(t, keyring.look(t.Context(), p.directory))
	before, unchanged := of(tenant), of(other)
	for range 3 {
		p.clock.advance(keyringTrust - time.Second)
		check(t, keyring.look(t.Context(), p.directory))
		if of(tenant) != before {
			t.Fatal("keys are read again that did not change")
		}
	}

	revoke := "update " + namespace(tenant.ID) + ".signing_keys set state = 'revoked'" // announced to nobody
	p.do(t, revoke+"; update control.key_steps set changed_at = now() where tenant_id = '"+tenant.ID.String()+"'")
	check(t, keyring.look(t.Context(), p.directory))
	if len(of(tenant).Public) != 0 {
		t.Error("a change that the directory tells of is not seen")
	}
	if of(other) != unchanged {
		t.Error("another tenant's keys were read again")
	}

	p.do(t, "update control.key_steps set changed_at = now() - interval '1 hour'; update "+namespace(tenant.ID)+".signing_keys set state = 'active'")
	if err := p.db.inDirectory(t.Context(), func(ctx context.Context, tx directoryTx) error {
		return insertKeyRequest(ctx, tx, keyRequest{id: newKeyRequestID(), tenant: tenant.ID, kind: "revoke", kid: "k", by: ByOperator, at: p.clock.now()})
	}); err != nil {
		t.Fatal(err)
	}
	check(t, keyring.look(t.Context(), p.directory))
	if len(of(tenant).Public) != 1 {
		t.Error("a revocation that is under way is not waited for")
	}

	p.do(t, "delete from control.key_requests; alter table control.key_steps rename to away; "+revoke)
	if err := keyring.look(t.Context(), p.directory); err == nil {
		t.Error("there is an answer from nowhere")
	}
	p.clock.advance(keyringTrust)
	if len(of(tenant).Public) != 0 {
		t.Error("keys are believed that nobody could ask for")
	}
}

// A replica that was away while others went on notes nothing that is out of date.
func TestANoteIsNotOverwritten(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	slow := p.rotator(t)
	check(t, slow.Advance(t.Context(), tenant))
	was, err := slow.noted(t.Context(), tenant.ID)
	check(t, err)
	k, err := p.rotator(t).Rotate(t.Context(), tenant, operator, "")
	check(t, err)
	if done, err := slow.note(t.Context(), tenant.ID, was, p.clock.now().Add(time.Hour)); err != nil || done {
		t.Errorf("noted: %v, %v", done, err)
	}
	if due, err := slow.noted(t.Context(), tenant.ID); err != nil || !due.Equal(*k.DueAt) {
		t.Errorf("the next step is noted for %v, and is due at %v", due, k.DueAt)
	}
}

// TestADatabaseThatHangsDoesNotHoldUpTheKeysOfOthers: of many tenants of a database that takes connections and says nothing, one
// is waited for, and the tenants of others have their turn in the same round.
func TestADatabaseThatHangsDoesNotHoldUpTheKeysOfOthers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var stuck []id.Tenant
	for range 6 {
		stuck = append(stuck, p.tenant(t).ID)
	}
	tenant := p.tenant(t)
	_, err := p.rotator(t).Rotate(t.Context(), tenant, operator, "")
	check(t, err)
	p.clock.advance(testTimes.Publish)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var asked atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer conn.Close()
		}
	}()
	_, err = p.behind(t).Exec(t.Context(), `update control.tenants set database = 'hanging' where id = any($1)`, stuck)
	check(t, err)
	hanging := openPool(t, "postgres://nobody@"+listener.Addr().String()+"/none?sslmode=disable", 1)
	r := p.rotator(t)
	r.DB = NewDB(DBOptions{Control: p.pool, Tenants: map[string]*Pool{testDatabase: p.pool, "hanging": hanging}})
	if err := r.Round(t.Context()); err == nil {
		t.Error("the round says nothing of the database that hangs")
	}
	p.wantStates(t, tenant, "ES256 retiring, ES256 active")
	if n := asked.Load(); n > 4 { // by a tenant, by the question whether it is away, and what their pool opened besides
		t.Errorf("the database that hangs was asked %d times for %d tenants", n, len(stuck))
	}
}
