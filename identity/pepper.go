package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// outdated reports whether a password hash was peppered with an older version of the tenant's key than there is. It can be
// made anew only where the password is at hand: the pepper is the outermost step, and only its result is stored. A second pepper
// over the first would need both keys at every login, and so free no old version.
func (l *Logins) outdated(ctx context.Context, t tenancy.Tenant, h password.Hash) bool {
	p, err := password.ParsePHC(string(h))
	return err == nil && p.KeyID > 0 && l.Sealing.Behind(ctx, t, p.KeyID)
}

// CountOutdated is how many password hashes of a tenant wait for their owners to sign in, to be peppered with this version.
func CountOutdated(ctx context.Context, db *tenancy.DB, t tenancy.Tenant, version int) (n int, err error) {
	err = db.InBatch(ctx, t, func(b *tenancy.Batch) { countOutdated(b, password.KeyParameter(version), &n) })
	return n, err
}
