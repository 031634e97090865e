package mfa

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Unlock forgets the wrong passwords and the wrong second factors of a user, so that the next try counts at once. Errors: 404
// not_found, 403 where the caller may not touch the user's rights.
func (f *Factors) Unlock(ctx context.Context, by identity.Caller, u id.User) error {
	return f.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := by.MayUnlock(user); err != nil {
			return err
		}
		if err := guessing.Forget(ctx, tx, u); err != nil {
			return err
		}
		if err := forgetFailures(ctx, tx, u); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "user.unlocked", Actor: by.Actor(), At: f.Now()}.User(u))
	})
}
