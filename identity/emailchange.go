package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// AskEmailChange has a link sent to an address that a user wants, and the address they have told of it. Whether somebody has
// the new one is not said: its link is then not made. Errors: 403 reauthentication_required; 400 invalid_credentials for a
// wrong password; 400 where it is the address they have; 401 where the session ended meanwhile; 429, also for a user who asks
// too often, 503.
func (l *Links) AskEmailChange(ctx context.Context, by Caller, to Email, pw password.Password) error {
	if err := by.Fresh(l.Now()); err != nil {
		return err
	}
	var a account
	if err := l.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readAccountByID(b, by.User.ID, &a) }); err != nil {
		return err
	}
	if err := l.Users.confirm(ctx, by.Tenant, a, pw); err != nil {
		return err
	}
	from := a.User.Email
	if to == from {
		return problem.Field("new_email", "is the address you have")
	}
	if err := l.Throttle.AskForChange(ctx, by.Tenant, by.User.ID); err != nil {
		return err
	}
	change := mail.Mail{Kind: letter.ConfirmEmailChange, User: by.User.ID, Address: string(to), At: l.Now(),
		Data: map[string]string{"from": string(from), "session": by.Session.ID.String()}}
	return l.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		// The race: everybody is signed out while the password is hashed here. What is asked for now would come after that.
		held, err := lockAccount(ctx, tx, by.User.ID)
		if err == nil && held.CredentialVersion != by.credentialVersion {
			err = problem.BadCredential()
		}
		if err != nil {
			return err
		}
		within, err := l.spendBudget(ctx, tx, change.Kind, to)
		if err != nil || !within {
			return err
		}
		if err := mail.Post(ctx, tx, change); err != nil {
			return err
		}
		if err := l.warn(ctx, tx, by.User.ID, from, to); err != nil {
			return err
		}
		e := audit.Event{Action: "email.change_requested", Actor: by.Actor(), At: l.Now()}
		return audit.Record(ctx, tx, e.User(by.User.ID))
	})
}

// ConfirmEmailChange gives an account the address its link was mailed to, and tells the old one again. What was mailed there
// dies, and all sessions but that of who asked for the change. Errors: 400 invalid_token; 409 email_taken, which only the
// reader of that mailbox is told.
func (l *Links) ConfirmEmailChange(ctx context.Context, t tenancy.Tenant, token string) (Email, error) {
	o, err := l.open(ctx, t, confirmEmailChange, token)
	if err != nil {
		return "", err
	}
	return o.NewAddress, l.spend(ctx, t, o, func(ctx context.Context, tx tenancy.Tx, u User) error {
		if err := changeEmail(ctx, tx, u.ID, o.NewAddress, l.Now()); err != nil {
			return err
		}
		if err := signOut(ctx, tx, u.ID, o.Session); err != nil {
			return err
		}
		if err := l.tellOfEmail(ctx, tx, u.ID, u.Email, o.NewAddress); err != nil {
			return err
		}
		return l.record(ctx, tx, "email.changed", u.ID)
	})
}

// warn tells the address there is of a change that was asked for, within what one mailbox may be sent.
func (l *Links) warn(ctx context.Context, tx tenancy.Tx, u id.User, from, to Email) error {
	within, err := l.spendBudget(ctx, tx, letter.EmailChanged, from)
	if err != nil || !within {
		return err
	}
	return l.tellOfEmail(ctx, tx, u, from, to)
}

// tellOfEmail writes to the address that an account is about to lose or has lost. The new one has its link.
func (l *Links) tellOfEmail(ctx context.Context, tx tenancy.Tx, u id.User, from, to Email) error {
	return mail.Post(ctx, tx, mail.Mail{Kind: letter.EmailChanged, User: u, Address: string(from), At: l.Now(),
		Data: map[string]string{"new_email": string(to)}})
}
