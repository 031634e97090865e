package password

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Foreign is a hash that another system made.
type Foreign interface {
	// Matches reports whether pw is its password. It may take a second of a core, and is called inside of the gate.
	Matches(pw []byte) bool
}

// Imports are the hashes that tenants brought along. They are kept sealed until their owners sign in and get one of ours:
// without a key, whoever stole the database could guess at them.
//
//	stored        is verified                                    and takes
//	sealed        the hash that was sealed, and nobody's         foreign + argon2id + pepper
//	ours, or ""   ours, or nobody's; and a decoy beside it       foreign + argon2id + pepper
//
// The decoy is of the kind that the tenant imported, so a login takes the same time whether the account was imported, has
// signed in since, or does not exist. Where a tenant imported hashes of several kinds it is that of one of them, and the
// time of a login tells which accounts have another. Once no imported hash is left there is no decoy.
type Imports interface {
	// Open is the hash that was sealed for the user.
	Open(ctx context.Context, t id.Tenant, u id.User, sealed Hash) (Foreign, error)
	// Decoy is a hash that nothing matches and that costs what the tenant's imported hashes cost; nil where there are none.
	Decoy(ctx context.Context, t id.Tenant) (Foreign, error)
}

// WithImports is the Hasher that verifies imported hashes, too.
func (h *Hasher) WithImports(i Imports) *Hasher {
	with := *h
	with.imports = i
	return &with
}

// SealedPrefix is how a sealed hash begins. What follows is the business of Imports.
const SealedPrefix = "$sealed$"

// Sealed reports whether the hash is an imported one.
func (h Hash) Sealed() bool { return strings.HasPrefix(string(h), SealedPrefix) }

// beside is what is verified in the same turn as a hash of ours; nil is nothing.
type beside struct {
	foreign Foreign
	matched bool
}

// stored is what has to be computed for a stored hash.
func (h *Hasher) stored(ctx context.Context, t id.Tenant, u id.User, stored Hash) (p PHC, b *beside, err error) {
	p = h.nobody
	switch {
	case stored.Sealed() && h.imports == nil:
		return p, nil, ErrMalformedHash
	case stored.Sealed():
		f, err := h.imports.Open(ctx, t, u, stored)
		return p, &beside{foreign: f}, err
	case stored != "":
		if p, err = ParsePHC(string(stored)); err != nil {
			return p, nil, err
		}
	}
	if h.imports == nil || t.IsZero() {
		return p, nil, nil
	}
	f, err := h.imports.Decoy(ctx, t)
	if f == nil || err != nil {
		return p, nil, err
	}
	return p, &beside{foreign: f}, nil
}

// compute tries the normal form of the password and then, where it is another, what was typed: the other system may not
// have normalised at all.
func (b *beside) compute(pw Password) {
	if b == nil {
		return
	}
	b.matched = b.foreign.Matches(pw.bytes())
	if !b.matched && pw.typed != nil {
		b.matched = b.foreign.Matches([]byte(*pw.typed))
	}
}
