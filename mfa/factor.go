package mfa

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
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

// addition is a factor that is about to become a user's.
type addition struct {
	by             audit.Actor
	user           id.User
	factor         id.Factor
	method, device string
	// check refuses the user as they are in the transaction, and spends the challenge in it. It ends the sessions that a
	// password alone has begun, but for the one the factor is added in: from now on it begins none.
	check func(context.Context, tenancy.Tx, identity.User) error
	// commit changes or adds the factor's row, and reports whether it could.
	commit func(context.Context, tenancy.Tx) (bool, error)
}

// add makes a factor the user's, in one transaction with what follows from it: the user's list of kinds, and ten backup
// codes where there are none. The user's row is locked first, so that two at once are one after the other and the second
// is checked against the outcome of the first.
func (f *Factors) add(ctx context.Context, t tenancy.Tenant, a addition) (codes []string, left int, err error) {
	set, err := f.newBackupSet(ctx, t, a.user)
	if err != nil {
		return nil, 0, err
	}
	err = f.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		owner, err := identity.LockUser(ctx, tx, a.user)
		if err != nil {
			return err
		}
		if err := a.check(ctx, tx, owner); err != nil {
			return err
		}
		done, err := a.commit(ctx, tx)
		if err != nil {
			return err
		}
		if !done {
			return refuse(reasonUsed, nil)
		}
		if err := refreshKinds(ctx, tx, a.user); err != nil {
			return err
		}
		events := []audit.Event{f.event("factor.added", a.by, a.user).With("method", a.method).With("factor", a.factor)}
		if left, err = remainingBackupCodes(ctx, tx, a.user); err != nil {
			return err
		}
		if left == 0 {
			codes, left = set.codes, len(set.codes)
			if err := replaceBackupCodes(ctx, tx, a.user, set); err != nil {
				return err
			}
			events = append(events, f.event("backup_codes.made", a.by, a.user))
		}
		return f.tell(ctx, tx, owner, letter.FactorAdded, map[string]string{"method": a.method, "device_name": a.device}, events...)
	})
	return codes, left, err
}

// denyAddition is the answer to a factor that did not prove itself.
func (f *Factors) denyAddition(ctx context.Context, t tenancy.Tenant, by audit.Actor, u id.User, method string, why error, answer *problem.Error) error {
	return f.deny(ctx, t, f.event("factor.refused", by, u).With("method", method), u, credential{}, why, answer)
}

// List is the user's factors, those still to be confirmed included.
func (f *Factors) List(ctx context.Context, t tenancy.Tenant, u id.User) (all []Factor, err error) {
	err = f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listFactors(b, u, f.Now().Add(-enrolmentLife), &all) })
	return all, err
}

// Remove takes a factor away from its user. Errors: 403 reauthentication_required; 404 not_found; 409 last_factor where the
// tenant demands one. With the last factor the backup codes go, too: alone they are no second factor. The user's other
// sessions end: the factor may have been lost, and they begun with it.
func (f *Factors) Remove(ctx context.Context, by identity.Caller, factor id.Factor) error {
	if err := by.Fresh(f.Now()); err != nil {
		return err
	}
	set, err := f.Settings.Of(ctx, by.Tenant) // not in the transaction, which would wait for a second connection
	if err != nil {
		return err
	}
	return f.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		owner, err := identity.LockUser(ctx, tx, by.User.ID)
		if err != nil {
			return err
		}
		if err := f.stillFresh(by, owner); err != nil {
			return err
		}
		was, err := deleteFactor(ctx, tx, owner.ID, factor)
		if err != nil || !was.Verified {
			return err
		}
		if err := refreshKinds(ctx, tx, owner.ID); err != nil {
			return err
		}
		left, err := confirmedFactors(ctx, tx, owner.ID)
		if err != nil {
			return err
		}
		if demanded, _ := set.MFA.Demands(roleNames(owner), owner.CreatedAt, f.Now()); left == 0 && demanded { // now or after the days of grace
			return problem.New(problem.KindConflict, "last_factor", "This is the last second factor, and one is required here.")
		}
		if left == 0 {
			if err := clearBackupCodes(ctx, tx, owner.ID); err != nil {
				return err
			}
		}
		if err := identity.EndSessions(ctx, tx, owner.ID, by.Session.ID); err != nil {
			return err
		}
		return f.tell(ctx, tx, owner, letter.FactorRemoved, map[string]string{"method": was.Method, "device_name": was.Device},
			f.event("factor.removed", by.Actor(), owner.ID).With("method", was.Method).With("factor", factor))
	})
}

// Reset takes all factors of a user away, forgets their wrong answers and ends their sessions, for an administrator.
// Somebody's own factors go one by one, by Remove, which asks what is asked of everybody. Errors: 404 not_found, 409
// owner_protected, 403, 403 reauthentication_required for an administrator who has not signed in lately with what they have.
func (f *Factors) Reset(ctx context.Context, by identity.Caller, u id.User) error {
	if by.User != nil && by.User.ID == u {
		return problem.Forbidden()
	}
	if err := by.Fresh(f.Now()); err != nil {
		return err
	}
	return f.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		owner, err := identity.LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := by.MayReset(owner); err != nil {
			return err
		}
		if err := resetFactors(ctx, tx, u); err != nil {
			return err
		}
		if err := identity.EndSessions(ctx, tx, u, id.Session{}); err != nil {
			return err
		}
		return f.tell(ctx, tx, owner, letter.FactorsReset, nil, f.event("factors.reset", by.Actor(), u).With("methods", owner.Factors))
	})
}

// NewBackupCodes replaces the user's backup codes; the old ones are good for nothing from then on. Errors: 403
// reauthentication_required, 409 no_factor.
func (f *Factors) NewBackupCodes(ctx context.Context, by identity.Caller) ([]string, error) {
	if err := by.Fresh(f.Now()); err != nil {
		return nil, err
	}
	set, err := f.newBackupSet(ctx, by.Tenant, by.User.ID)
	if err != nil {
		return nil, err
	}
	err = f.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		owner, err := identity.LockUser(ctx, tx, by.User.ID)
		if err != nil {
			return err
		}
		if err := f.stillFresh(by, owner); err != nil {
			return err
		}
		if len(owner.Factors) == 0 {
			return errNoFactor()
		}
		if err := replaceBackupCodes(ctx, tx, owner.ID, set); err != nil {
			return err
		}
		return f.tell(ctx, tx, owner, letter.BackupCodesReplaced, remaining(len(set.codes)), f.event("backup_codes.made", by.Actor(), owner.ID))
	})
	return set.codes, err
}

func errNoFactor() error {
	return problem.New(problem.KindConflict, "no_factor", "There is no second factor yet.")
}
