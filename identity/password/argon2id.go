package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// Pepper is the keyed step: an HMAC of input under the tenant's key, which its custodian never gives away.
// Version 0 asks for the newest key. It answers 32 bytes and the version used, from 1; asked for a version, it uses
// that one or fails. It may take a network round trip; it must not look at anything but its arguments, so that it costs
// the same for users who exist and users who do not.
type Pepper func(ctx context.Context, version int, input []byte) (mac []byte, used int, err error)

// purpose separates this use of the tenant's HMAC key from every other. Tenant id, user id and argon2id output have
// fixed lengths, so the input is unambiguous.
const purpose = "gatehouse/password/1\x00"

const (
	saltLen = 16 // bytes
	sumLen  = 32 // bytes: of the argon2id output and of the MAC
)

var (
	errNoPepper  = errors.New("password: no pepper given")
	errBadPepper = errors.New("password: pepper answered with another version or length than it must")
)

// Hasher makes and checks password hashes. It is safe for concurrent use.
type Hasher struct {
	gate     *fairshare.Gate
	foreign  *fairshare.Gate // in front of the gate: what also verifies a foreign hash
	params   Params
	memories *memories
	imports  Imports // nil: there are none
	nobody   PHC     // what is verified for somebody without a password
	behind   bool    // in the line of the gate
}

// Behind is the same Hasher for requests that others of the tenant may pass: those that are likely to be guesses.
func (h *Hasher) Behind() *Hasher {
	b := *h
	b.behind = true
	return &b
}

// NewHasher makes a Hasher that makes hashes with params and does all argon2id work inside gate. It panics when params
// are below the floor: that is a mistake in the wiring, never in a request.
func NewHasher(gate *fairshare.Gate, params Params) *Hasher {
	if err := params.floor(); err != nil {
		panic(err)
	}
	return newHasher(gate, params)
}

func newHasher(gate *fairshare.Gate, params Params) *Hasher {
	few := gate.Options()
	few.Slots = max(1, few.Slots-1)
	return &Hasher{gate: gate, foreign: fairshare.NewGate(few), params: params, memories: newMemories(params, gate.Options().Slots),
		nobody: PHC{Params: params, Salt: random(saltLen), Sum: random(sumLen)}}
}

// Room is nil or what a hash of the tenant would be refused with now: to ask before other work is done for it.
func (h *Hasher) Room(t id.Tenant) error { return h.gate.Room(t) }

// Hash makes the hash to store for subject. It answers the gate's refusal (fairshare.ErrBusy), the context's error when
// the caller went away, and what pepper answers as it is. The hash is bound to tenant and user: copied into
// another row it verifies nothing. The tenant is besides the queue to wait in.
func (h *Hasher) Hash(ctx context.Context, t id.Tenant, subject id.User, pw Password, pepper Pepper) (Hash, error) {
	p := PHC{Params: h.params, Salt: random(saltLen)}
	sum, err := h.argon2id(ctx, t, pw, p, nil, pepper)
	if err != nil {
		return "", err
	}
	if p.Sum, p.KeyID, err = keyed(ctx, pepper, 0, t, subject, sum); err != nil {
		return "", err
	}
	return p.Hash(), nil
}

// Verify answers whether pw is the password of subject, and whether the stored hash should be made anew: it has other
// parameters or no pepper. stale is only ever true with ok. An old pepper version does not make it stale, because
// Verify cannot know the newest: compare ParsePHC's KeyID with the custodian's.
//
// A zero Hash (unknown user, or no password set) costs what a real one costs, one hash with the Hasher's parameters,
// one pepper call and one comparison in constant time, and answers false. So does the verification of a hash without
// a pepper. A sealed Hash is an imported one: see Imports. Errors are those of Hash, and ErrMalformedHash.
func (h *Hasher) Verify(ctx context.Context, t id.Tenant, subject id.User, pw Password, stored Hash,
	pepper Pepper) (ok, stale bool, err error) {
	p, beside, err := h.stored(ctx, t, subject, stored)
	if err != nil {
		return false, false, err
	}
	sum, err := h.argon2id(ctx, t, pw, p, beside, pepper)
	if err != nil {
		return false, false, err
	}
	mac, _, err := keyed(ctx, pepper, p.KeyID, t, subject, sum)
	if err != nil {
		return false, false, err
	}
	if stored.Sealed() {
		return beside.matched, beside.matched, nil
	}
	if p.KeyID == 0 { // the pepper was asked all the same: an imported hash must not be quicker than nobody's
		mac = sum
	}
	ok = subtle.ConstantTimeCompare(mac, p.Sum) == 1 && stored != ""
	stale = ok && (p.KeyID == 0 || p.Params != h.params || len(p.Salt) != saltLen)
	return ok, stale, nil
}

// argon2id computes the bare hash inside a slot of the gate, and in the same turn what is to be computed beside it. The pepper is only looked at, so that a forgotten one
// costs nothing.
func (h *Hasher) argon2id(ctx context.Context, t id.Tenant, pw Password, p PHC, beside *beside, pepper Pepper) (sum []byte, err error) {
	if pw.IsZero() {
		return nil, ErrEmpty
	}
	if pepper == nil {
		return nil, errNoPepper
	}
	size := sumLen
	if p.KeyID == 0 && p.Sum != nil {
		size = len(p.Sum) // an imported hash: the argon2id output itself is stored, and its length goes into the hash
	}
	err = h.turn(ctx, t, beside != nil, func() {
		beside.compute(pw)
		sum = h.memories.key(pw.bytes(), p.Salt, p.Params, uint32(size)) //nolint:gosec // 16 to 64
	})
	return sum, err
}

// turn does work in a slot of the gate. Work with a foreign hash in it, which may take forty times as long as one of ours, waits
// for its own few slots first: it never has all of the gate's, so a tenant that imported expensive hashes is slow for itself.
func (h *Hasher) turn(ctx context.Context, t id.Tenant, foreign bool, work func()) error {
	do := (*fairshare.Gate).Do
	if h.behind {
		do = (*fairshare.Gate).DoBehind
	}
	if !foreign {
		return do(h.gate, ctx, t, work)
	}
	var inner error
	err := do(h.foreign, ctx, t, func() { inner = do(h.gate, ctx, t, work) })
	if err == nil {
		err = inner
	}
	return err
}

// keyed is the keyed step. It runs outside of the gate: a slow custodian must not hold a core.
func keyed(ctx context.Context, pepper Pepper, version int, t id.Tenant, subject id.User, sum []byte) ([]byte, int, error) {
	input := slices.Concat([]byte(purpose), t[:], subject[:], sum)
	mac, used, err := pepper(ctx, version, input)
	if err != nil {
		return nil, 0, err
	}
	if len(mac) != sumLen || used < 1 || used > maxKeyID || version != 0 && used != version {
		return nil, 0, errBadPepper
	}
	return mac, used, nil
}

// random is n bytes from the system; crypto/rand never fails, it ends the process instead.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
