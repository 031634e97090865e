package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// welcome posts the first mail of an account: an invitation to choose a password or, where it has one and the address is
// not vouched for, a link that proves it.
func welcome(ctx context.Context, tx tenancy.Tx, u User, hasPassword bool, now time.Time) error {
	m := mail.Mail{Kind: letter.Invitation, User: u.ID, Address: string(u.Email), At: now}
	switch {
	case hasPassword && u.EmailVerified:
		return nil
	case hasPassword:
		m.Kind = letter.VerifyEmail
	}
	return mail.Post(ctx, tx, m)
}

// Invite sends somebody's invitation again. Errors: 404 not_found; 409 already_verified; 403.
func (l *Links) Invite(ctx context.Context, by Caller, u id.User) error {
	return l.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		was, err := LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if !by.mayTouch(was.Roles) {
			return problem.Forbidden()
		}
		if was.EmailVerified {
			return errAlreadyVerified()
		}
		if within, err := l.spendBudget(ctx, tx, letter.Invitation, was.Email); err != nil || !within {
			return err
		}
		if err := welcome(ctx, tx, was, false, l.Now()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, userInvited(by.Actor(), u, l.Now()))
	})
}

func userInvited(by audit.Actor, u id.User, now time.Time) audit.Event {
	return audit.Event{Action: "user.invited", Actor: by, At: now}.User(u)
}

func errAlreadyVerified() error {
	return problem.New(problem.KindConflict, "already_verified", "This user has proved their address already.")
}
