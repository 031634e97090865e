package password

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// plain is a hash of another system that hashed nothing at all, and counts how often it was asked.
type plain struct {
	password string
	asked    []string
}

func (p *plain) Matches(pw []byte) bool {
	p.asked = append(p.asked, string(pw))
	return string(pw) == p.password
}

// migrated is a tenant that imported one hash.
type migrated struct {
	sealed Hash
	own    *plain
	decoy  *plain
	err    error
}

func (m *migrated) Open(_ context.Context, _ id.Tenant, _ id.User, sealed Hash) (Foreign, error) {
	if sealed != m.sealed {
		return nil, errors.New("of another")
	}
	return m.own, m.err
}

func (m *migrated) Decoy(context.Context, id.Tenant) (Foreign, error) {
	if m.decoy == nil {
		return nil, m.err
	}
	return m.decoy, m.err
}

// What is computed is the same whoever signs in: one hash of ours, one of the imported kind, one call of the pepper.
func TestAnImportedHashCostsWhatAllOthersDo(t *testing.T) {
	m := &migrated{sealed: SealedPrefix + "x", own: &plain{password: "secret"}, decoy: &plain{}}
	h := cheapHasher().WithImports(m)
	v := new(vault)
	ours, err := h.Hash(t.Context(), home, id.User{1}, parsed(t, "secret"), v.pepper)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, pw  string
		stored    Hash
		ok, stale bool
		asked     *plain
	}{
		{"imported, right", "secret", m.sealed, true, true, m.own},
		{"imported, wrong", "Secret", m.sealed, false, false, m.own},
		{"ours, right", "secret", ours, true, false, m.decoy},
		{"ours, wrong", "Secret", ours, false, false, m.decoy},
		{"nobody", "secret", "", false, false, m.decoy},
	} {
		m.own.asked, m.decoy.asked = nil, nil
		ok, stale, err := h.Verify(t.Context(), home, id.User{1}, parsed(t, c.pw), c.stored, v.pepper)
		if err != nil || ok != c.ok || stale != c.stale {
			t.Errorf("%s: %v %v %v", c.name, ok, stale, err)
		}
		if len(m.own.asked)+len(m.decoy.asked) != 1 || len(c.asked.asked) != 1 {
			t.Errorf("%s: asked were %q and %q", c.name, m.own.asked, m.decoy.asked)
		}
	}
}

// Another system may have hashed what was typed as it was.
func TestAnImportedHashIsTriedWithWhatWasTyped(t *testing.T) {
	m := &migrated{sealed: SealedPrefix + "x", own: &plain{password: "passe\u0301"}}
	h, v := cheapHasher().WithImports(m), new(vault)
	ok, _, err := h.Verify(t.Context(), home, id.User{1}, parsed(t, "passe\u0301"), m.sealed, v.pepper)
	if !ok || err != nil || len(m.own.asked) != 2 || m.own.asked[0] != "pass\u00e9" {
		t.Errorf("%v %v, asked was %q", ok, err, m.own.asked)
	}
	if ok, _, err := h.Verify(t.Context(), home, id.User{1}, parsed(t, "pass\u00e9"), m.sealed, v.pepper); ok || err != nil {
		t.Errorf("what was not typed: %v %v", ok, err)
	}
}

func TestAnImportedHashThatCannotBeOpenedIsAnError(t *testing.T) {
	m := &migrated{sealed: SealedPrefix + "x", own: &plain{password: "secret"}}
	h, v := cheapHasher().WithImports(m), new(vault)
	if ok, _, err := h.Verify(t.Context(), home, id.User{1}, parsed(t, "secret"), SealedPrefix+"y", v.pepper); ok || err == nil {
		t.Errorf("of another: %v %v", ok, err)
	}
	if ok, _, err := cheapHasher().Verify(t.Context(), home, id.User{1}, parsed(t, "secret"), m.sealed, v.pepper); ok || !errors.Is(err, ErrMalformedHash) {
		t.Errorf("without imports: %v %v", ok, err)
	}
	m.err = errors.New("down")
	if ok, _, err := h.Verify(t.Context(), home, id.User{1}, parsed(t, "secret"), "", v.pepper); ok || !errors.Is(err, m.err) {
		t.Errorf("nobody, when it cannot be told what they cost: %v %v", ok, err)
	}
}

// standing is a hash that is verified until it is let go.
type standing struct{ begun, end chan struct{} }

func (s standing) Matches([]byte) bool {
	s.begun <- struct{}{}
	<-s.end
	return false
}

// Whoever imported hashes that take long fills their own few slots, and never the last one of the gate.
func TestExpensiveImportedHashesLeaveASlot(t *testing.T) {
	slow := standing{make(chan struct{}), make(chan struct{})}
	h := newHasher(fairshare.NewGate(fairshare.Options{Slots: 2}), cheap)
	dear := h.WithImports(decoy{slow})
	v := new(vault)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			_, _, _ = dear.Verify(t.Context(), id.NewTenant(), id.User{}, parsed(t, "secret"), "", v.pepper)
		})
	}
	<-slow.begun
	if _, _, err := h.Verify(t.Context(), home, id.User{}, parsed(t, "secret"), "", v.pepper); err != nil {
		t.Errorf("another tenant's login: %v", err)
	}
	if n := h.gate.Stats().Running; n != 1 {
		t.Errorf("%d of 2 slots are taken, want 1", n)
	}
	close(slow.end)
	go func() {
		for range slow.begun {
		}
	}()
	wg.Wait()
	close(slow.begun)
}

// decoy has every tenant look as if it had imported one hash.
type decoy struct{ f Foreign }

func (d decoy) Open(context.Context, id.Tenant, id.User, Hash) (Foreign, error) { return d.f, nil }
func (d decoy) Decoy(context.Context, id.Tenant) (Foreign, error)               { return d.f, nil }
