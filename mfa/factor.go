package mfa

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const kindInvalid = problem.KindInvalid

// Factor is a second factor as its user sees it.
type Factor struct {
	ID         id.Factor
	Method     string
	Device     string
	Verified   bool
	CreatedAt  time.Time
	LastUsedAt *time.Time
}

// confirm makes a pending factor the user's, in one transaction with what follows from it: the user's list of kinds, and
// ten backup codes where there are none. commit changes the pending factor's row and reports whether it was there to
// change. The user's row is locked first, so that two confirmations at once are one after the other and the second is
// checked against the outcome of the first.
func (f *Factors) confirm(ctx context.Context, t tenancy.Tenant, u id.User, check func(context.Context, tenancy.Tx, identity.User) error,
	commit func(context.Context, tenancy.Tx) (bool, error)) (codes []string, left int, err error) {
	set, err := f.newBackupSet(ctx, t, u)
	if err != nil {
		return nil, 0, err
	}
	err = f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := check(ctx, tx, user); err != nil {
			return err
		}
		done, err := commit(ctx, tx)
		if err != nil {
			return err
		}
		if !done {
			return errInvalidCode(kindInvalid)
		}
		if err := refreshKinds(ctx, tx, u); err != nil {
			return err
		}
		if left, err = remainingBackupCodes(ctx, tx, u); err != nil || left > 0 {
			return err
		}
		codes, left = set.codes, len(set.codes)
		return replaceBackupCodes(ctx, tx, u, set)
	})
	return codes, left, err
}

// List is the user's factors, those still to be confirmed included.
func (f *Factors) List(ctx context.Context, t tenancy.Tenant, u id.User) (all []Factor, err error) {
	err = f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listFactors(b, u, f.Now().Add(-enrolmentLife), &all) })
	return all, err
}

// Remove takes a factor away from its user. Errors: 404 not_found; 409 last_factor where the tenant demands one. With
// the last factor the backup codes go, too: alone they are no second factor.
func (f *Factors) Remove(ctx context.Context, t tenancy.Tenant, u id.User, factor id.Factor) error {
	return f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		demanded, err := f.demanded(ctx, t, user)
		if err != nil {
			return err
		}
		confirmed, err := deleteFactor(ctx, tx, u, factor)
		if err != nil || !confirmed {
			return err
		}
		if err := refreshKinds(ctx, tx, u); err != nil {
			return err
		}
		left, err := confirmedFactors(ctx, tx, u)
		if err != nil || left > 0 {
			return err
		}
		if demanded {
			return problem.New(problem.KindConflict, "last_factor", "This is the last second factor, and one is required here.")
		}
		return clearBackupCodes(ctx, tx, u)
	})
}

// Reset takes all factors of a user away, forgets their wrong answers and ends their sessions, for an administrator.
// Errors: 404 not_found, 409 owner_protected, 403.
func (f *Factors) Reset(ctx context.Context, by identity.Caller, u id.User) error {
	return f.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := by.MayReset(user); err != nil {
			return err
		}
		return resetFactors(ctx, tx, u)
	})
}

// NewBackupCodes replaces the user's backup codes; the old ones are good for nothing from then on. Errors: 409 no_factor.
func (f *Factors) NewBackupCodes(ctx context.Context, t tenancy.Tenant, u id.User) ([]string, error) {
	set, err := f.newBackupSet(ctx, t, u)
	if err != nil {
		return nil, err
	}
	err = f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		user, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if len(user.Factors) == 0 {
			return errNoFactor()
		}
		return replaceBackupCodes(ctx, tx, u, set)
	})
	return set.codes, err
}

func errNoFactor() error {
	return problem.New(problem.KindConflict, "no_factor", "There is no second factor yet.")
}
