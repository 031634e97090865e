package password

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// cheap is the least a stored hash may cost, to keep the tests quick; NewHasher would refuse it.
var cheap = Params{Memory: minMemory, Time: 1, Parallelism: 1}

func cheapHasher() *Hasher {
	return newHasher(fairshare.NewGate(fairshare.Options{}), cheap)
}

// vault is a custodian with as many key versions as rotated, plus one. It remembers what it was asked.
type vault struct {
	mu      sync.Mutex
	rotated int
	asked   []call
}

type call struct {
	version int
	input   []byte
}

func (v *vault) pepper(_ context.Context, version int, input []byte) ([]byte, int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, call{version, bytes.Clone(input)})
	if version == 0 {
		version = v.rotated + 1
	}
	m := hmac.New(sha256.New, fmt.Append(nil, "tenant key ", version))
	m.Write(input)
	return m.Sum(nil), version, nil
}

func parsed(t testing.TB, raw string) Password {
	t.Helper()
	pw, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return pw
}

// The argon2id vectors of src/test.c in the reference implementation (P-H-C/phc-winner-argon2), those within bounds.
func TestReferenceVectors(t *testing.T) {
	h, pepper := cheapHasher(), new(vault).pepper
	for _, v := range []struct{ pw, phc string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=262144,t=2,p=1$c29tZXNhbHQ$eP4eyR+zqlZX1y5xCFTkw9m5GYx0L5YWwvCFvtlbLow"},
		{"password", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"},
		{"password", "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"},
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"},
	} {
		ok, stale, err := h.Verify(t.Context(), home, id.NewUser(), parsed(t, v.pw), Hash(v.phc), pepper)
		if !ok || !stale || err != nil {
			t.Errorf("%s: ok %v, stale %v, %v; want an imported hash to verify and be stale", v.phc, ok, stale, err)
		}
		ok, stale, err = h.Verify(t.Context(), home, id.NewUser(), parsed(t, v.pw+" "), Hash(v.phc), pepper)
		if ok || stale || err != nil {
			t.Errorf("%s: wrong password: ok %v, stale %v, %v", v.phc, ok, stale, err)
		}
	}
}

func TestHashVerifies(t *testing.T) {
	h := NewHasher(fairshare.NewGate(fairshare.Options{}), DefaultParams)
	tenant, user, pw, custodian := home, id.NewUser(), parsed(t, "ﬁrst light over the quay"), &vault{rotated: 2}
	stored, err := h.Hash(t.Context(), tenant, user, pw, custodian.pepper)
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1,keyid=Mw$"; !strings.HasPrefix(string(stored), want) {
		t.Errorf("stored %s, want %s...", string(stored), want)
	}
	again, _ := h.Hash(t.Context(), tenant, user, pw, custodian.pepper)
	if stored == again {
		t.Error("two hashes of one password are equal: no salt")
	}
	custodian.rotated = 5
	if ok, _, _ := h.Verify(t.Context(), id.NewTenant(), user, parsed(t, "first light over the quay"), stored, custodian.pepper); ok {
		t.Error("the hash verifies in another tenant")
	}
	for _, c := range []struct {
		name string
		user id.User
		pw   string
		want bool
	}{
		{"right", user, "ﬁrst light over the quay", true},
		{"right in another form", user, "first light over the quay", true},
		{"other case", user, "First light over the quay", false},
		{"prefix", user, "first light over the qua", false},
		{"another user's hash", id.NewUser(), "first light over the quay", false},
	} {
		ok, stale, err := h.Verify(t.Context(), tenant, c.user, parsed(t, c.pw), stored, custodian.pepper)
		if ok != c.want || stale || err != nil {
			t.Errorf("%s: ok %v, stale %v, %v", c.name, ok, stale, err)
		}
		if last := custodian.asked[len(custodian.asked)-1]; last.version != 3 {
			t.Errorf("%s: asked for key version %d, want the stored 3", c.name, last.version)
		}
	}
}

// Every byte counts, also those past 72, where bcrypt stops.
func TestWholePasswordCounts(t *testing.T) {
	h, user, pepper := cheapHasher(), id.NewUser(), new(vault).pepper
	long := strings.Repeat("x", MaxBytes-1)
	stored, err := h.Hash(t.Context(), home, user, parsed(t, long+"a"), pepper)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, _ := h.Verify(t.Context(), home, user, parsed(t, long+"a"), stored, pepper); !ok {
		t.Error("1,024 bytes do not verify")
	}
	if ok, _, _ := h.Verify(t.Context(), home, user, parsed(t, long+"b"), stored, pepper); ok {
		t.Error("the last byte does not count")
	}
}

func TestStale(t *testing.T) {
	made, user, pw, pepper := cheapHasher(), id.NewUser(), parsed(t, "correct horse battery staple"), new(vault).pepper
	stored, err := made.Hash(t.Context(), home, user, pw, pepper)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		params Params
		want   bool
	}{{cheap, false}, {Params{minMemory, 2, 1}, true}, {Params{2 * minMemory, 1, 1}, true}, {Params{minMemory, 1, 2}, true}} {
		h := cheapHasher()
		h.params = c.params
		ok, stale, err := h.Verify(t.Context(), home, user, pw, stored, pepper)
		if !ok || stale != c.want || err != nil {
			t.Errorf("%+v: ok %v, stale %v, %v", c.params, ok, stale, err)
		}
	}
}

// Other systems write salts and hashes of other lengths, and the length goes into the hash.
func TestImportedLengths(t *testing.T) {
	h, pw := cheapHasher(), parsed(t, "correct horse battery staple")
	for _, n := range []int{16, 24, 64} {
		p := PHC{Params: cheap, Salt: random(n)}
		p.Sum = argon2.IDKey(pw.bytes(), p.Salt, cheap.Time, cheap.Memory, cheap.Parallelism, uint32(n))
		ok, stale, err := h.Verify(t.Context(), home, id.NewUser(), pw, p.Hash(), new(vault).pepper)
		if !ok || !stale || err != nil {
			t.Errorf("%d bytes: ok %v, stale %v, %v", n, ok, stale, err)
		}
	}
	short, custodian, user := PHC{Params: cheap, Salt: random(8)}, new(vault), id.NewUser() // peppered, but a short salt
	sum, _ := h.argon2id(t.Context(), home, pw, short, nil, custodian.pepper)
	short.Sum, short.KeyID, _ = keyed(t.Context(), custodian.pepper, 0, home, user, sum)
	if ok, stale, err := h.Verify(t.Context(), home, user, pw, short.Hash(), custodian.pepper); !ok || !stale || err != nil {
		t.Errorf("short salt: ok %v, stale %v, %v", ok, stale, err)
	}
}

// Nobody's hash, an unpeppered one and a real one do the same visible work: one pepper call with an input of one length.
func TestSameWorkForNobody(t *testing.T) {
	h, custodian, user, pw := cheapHasher(), &vault{}, id.NewUser(), parsed(t, "correct horse battery staple")
	real, err := h.Hash(t.Context(), home, user, pw, custodian.pepper)
	if err != nil {
		t.Fatal(err)
	}
	bare := PHC{Params: cheap, Salt: random(saltLen), Sum: random(sumLen)}.Hash()
	for name, stored := range map[string]Hash{"real": real, "nobody": "", "no pepper": bare} {
		custodian.asked = nil
		ok, stale, err := h.Verify(t.Context(), home, user, parsed(t, "wrong horse"), stored, custodian.pepper)
		if ok || stale || err != nil {
			t.Errorf("%s: ok %v, stale %v, %v", name, ok, stale, err)
		}
		if len(custodian.asked) != 1 || len(custodian.asked[0].input) != len(purpose)+len(home)+len(user)+sumLen {
			t.Errorf("%s: pepper calls %+v, want one", name, custodian.asked)
		}
	}
}

// Even a custodian that answers what nobody's sum is does not make nobody's password right.
func TestNobodyNeverVerifies(t *testing.T) {
	h := cheapHasher()
	pw := parsed(t, "correct horse battery staple")
	sum, err := h.argon2id(t.Context(), home, pw, h.nobody, nil, new(vault).pepper)
	if err != nil {
		t.Fatal(err)
	}
	h.nobody.Sum = sum
	if ok, _, _ := h.Verify(t.Context(), home, id.NewUser(), pw, "", new(vault).pepper); ok {
		t.Error("nobody has a password")
	}
}

// home is the tenant of the tests in this file.
var home = id.NewTenant()

func TestPepperInput(t *testing.T) {
	custodian, user := &vault{}, id.NewUser()
	if _, err := cheapHasher().Hash(t.Context(), home, user, parsed(t, "x"), custodian.pepper); err != nil {
		t.Fatal(err)
	}
	in := custodian.asked[0].input
	rest, found := bytes.CutPrefix(in, slices.Concat([]byte("gatehouse/password/1\x00"), home[:], user[:]))
	if !found || len(rest) != sumLen || custodian.asked[0].version != 0 {
		t.Errorf("pepper asked for version %d of %x", custodian.asked[0].version, in)
	}
}

func TestPepperErrors(t *testing.T) {
	sealed := errors.New("sealed")
	h, user, pw := cheapHasher(), id.NewUser(), parsed(t, "correct horse battery staple")
	stored, err := h.Hash(t.Context(), home, user, pw, new(vault).pepper)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(n, used int, err error) Pepper {
		return func(context.Context, int, []byte) ([]byte, int, error) { return make([]byte, n), used, err }
	}
	for name, c := range map[string]struct {
		pepper Pepper
		want   error
	}{
		"fails":         {answer(32, 1, sealed), sealed},
		"short":         {answer(20, 1, nil), errBadPepper},
		"empty":         {answer(0, 1, nil), errBadPepper},
		"other version": {answer(32, 0, nil), errBadPepper},
		"huge version":  {answer(32, maxKeyID+1, nil), errBadPepper},
		"none":          {nil, errNoPepper},
	} {
		if got, err := h.Hash(t.Context(), home, user, pw, c.pepper); got != "" || err != c.want {
			t.Errorf("%s: Hash: %v", name, err)
		}
		for _, s := range []Hash{stored, ""} {
			if ok, stale, err := h.Verify(t.Context(), home, user, pw, s, c.pepper); ok || stale || err != c.want {
				t.Errorf("%s: Verify: %v %v %v, want %v", name, ok, stale, err, c.want)
			}
		}
	}
	if ok, _, err := h.Verify(t.Context(), home, user, pw, stored, answer(32, 2, nil)); ok || err != errBadPepper {
		t.Errorf("another version than asked for: %v %v", ok, err)
	}
}

// The slot is free while the pepper runs: a slow custodian must not hold a core.
func TestPepperOutsideOfTheGate(t *testing.T) {
	h := cheapHasher()
	seen := -1
	look := func(ctx context.Context, v int, in []byte) ([]byte, int, error) {
		seen = h.gate.Stats().Running
		return new(vault).pepper(ctx, v, in)
	}
	if _, _, err := h.Verify(t.Context(), home, id.NewUser(), parsed(t, "x"), "", look); err != nil || seen != 0 {
		t.Errorf("%d slots taken while the pepper ran, %v", seen, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	h, custodian := cheapHasher(), &vault{}
	if _, _, err := h.Verify(t.Context(), home, id.NewUser(), Password{}, "", custodian.pepper); !errors.Is(err, ErrEmpty) {
		t.Errorf("zero password: %v", err)
	}
	if _, err := h.Hash(t.Context(), home, id.NewUser(), Password{}, custodian.pepper); !errors.Is(err, ErrEmpty) {
		t.Errorf("zero password: %v", err)
	}
	if _, _, err := h.Verify(t.Context(), home, id.NewUser(), parsed(t, "x"), "$2b$10$abc", custodian.pepper); !errors.Is(err, ErrMalformedHash) {
		t.Errorf("malformed hash: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.Verify(ctx, home, id.NewUser(), parsed(t, "x"), "", custodian.pepper); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if len(custodian.asked) != 0 {
		t.Errorf("the custodian was asked %d times for nothing", len(custodian.asked))
	}
}

func TestParamsFloor(t *testing.T) {
	for p, want := range map[Params]bool{
		DefaultParams: true, {46 << 10, 1, 1}: true, {12 << 10, 3, 1}: true, {64 << 10, 3, 4}: true,
		{19455, 2, 1}: false, {19456, 1, 1}: false, {12 << 10, 2, 1}: false, {0, 0, 0}: false,
		{256 << 10, 4, 1}: false, {512 << 10, 1, 1}: false, {1 << 31, 2, 1}: false,
	} {
		if got := p.floor() == nil; got != want {
			t.Errorf("%+v: allowed %v", p, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("NewHasher took parameters below the floor")
		}
	}()
	NewHasher(fairshare.NewGate(fairshare.Options{}), cheap)
}
