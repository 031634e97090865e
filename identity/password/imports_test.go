package password

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
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
