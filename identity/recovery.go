package identity

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Ask has a mail sent to whoever has the address, if somebody does. That is found out when the mail is made: the work done
// here, and how long it takes, are the same for every address. An address that was asked for too often is passed over in
// silence, whether somebody has it or not. Errors: 429 where the network asks too often, 503.
func (l *Links) Ask(ctx context.Context, t tenancy.Tenant, kind mail.Kind, e Email, c Client) error {
	return l.ask(ctx, t, mail.Mail{Kind: kind, Address: string(e)}, e, c)
}

// AskNobody is Ask for an address whose tenant nobody knows: the same work, with the platform tenant's tables. The mail is to
// no address, for one of the platform's own people might have this one, and nobody asked the platform.
func (l *Links) AskNobody(ctx context.Context, kind mail.Kind, e Email, c Client) error {
	platform, err := l.Logins.Directory.BySlug(ctx, tenancy.PlatformSlug)
	if err != nil {
		return problem.Unavailable(time.Second, err)
	}
	return l.ask(ctx, platform, mail.Mail{Kind: kind}, e, c)
}

func (l *Links) ask(ctx context.Context, t tenancy.Tenant, m mail.Mail, e Email, c Client) error {
	if err := l.Throttle.AskForMail(ctx, t, c.IP); err != nil {
		return err
	}
	m.At = l.Now()
	return l.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		within, err := l.spendBudget(ctx, tx, m.Kind, e)
		if err != nil || !within {
			return err
		}
		return mail.Post(ctx, tx, m)
	})
}

// spendBudget counts a mail that somebody wants sent to an address: of a kind one a minute, five an hour, twenty a day. It
// sweeps last: a sweep waits for nobody's rows, and two that had swept each other's would wait for each other here.
func (l *Links) spendBudget(ctx context.Context, tx tenancy.Tx, k mail.Kind, e Email) (within bool, err error) {
	now := l.Now()
	hash := sha256.Sum256([]byte(string(k) + " " + string(e)))
	within, err = spendBudget(ctx, tx, hash[:], now)
	if err == nil && rand.IntN(sweepEvery) == 0 { //nolint:gosec // when to clear up is no secret
		err = sweepBudgets(ctx, tx, now)
	}
	return within, err
}

// Verify takes it that the address of the link is its reader's. Errors: 400 invalid_token.
//
// Whoever held the account unproved could not sign in, so nothing of theirs can be there but the password the account was
// made with. It stays, for as a rule it is the reader's own; what is under way and what was mailed ends.
func (l *Links) Verify(ctx context.Context, t tenancy.Tenant, token string) (verified Email, err error) {
	o, err := l.open(ctx, t, verifyEmail, token)
	if err != nil {
		return "", err
	}
	return o.Address, l.spend(ctx, t, o, func(ctx context.Context, tx tenancy.Tx, u User) error {
		if err := markVerified(ctx, tx, u.ID, l.Now()); err != nil {
			return err
		}
		if err := signOut(ctx, tx, u.ID, id.Session{}); err != nil {
			return err
		}
		return l.record(ctx, tx, "email.verified", u.ID)
	})
}

// Accept sets the password of somebody who was invited, whose address is proved by that. It does not sign in. Errors: 400
// invalid_token; 400 weak_password, which leaves the invitation as it was; 503.
func (l *Links) Accept(ctx context.Context, t tenancy.Tenant, token string, pw password.Password) error {
	return l.setPassword(ctx, t, invitation, token, pw)
}

// Reset gives an account another password. It does not sign in and leaves factors as they are; every session ends. Reading
// the mailbox is all that verification asks for, so the address is verified, too. Errors: as of Accept.
func (l *Links) Reset(ctx context.Context, t tenancy.Tenant, token string, pw password.Password) error {
	return l.setPassword(ctx, t, resetPassword, token, pw)
}

// setPassword hashes before it spends: a hash is no work for a transaction, and a password that is refused, or an outage,
// leaves the link as it was.
func (l *Links) setPassword(ctx context.Context, t tenancy.Tenant, p purpose, token string, pw password.Password) error {
	o, err := l.open(ctx, t, p, token)
	if err != nil {
		return err
	}
	hash, err := l.Users.hash(ctx, t, o.user, pw)
	if err != nil {
		return err
	}
	return l.spend(ctx, t, o, func(ctx context.Context, tx tenancy.Tx, u User) error {
		if err := setPassword(ctx, tx, u.ID, hash, true, l.Now()); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, u.ID); err != nil {
			return err
		}
		if err := guessing.Forget(ctx, tx, u.ID); err != nil {
			return err
		}
		return l.tellOfPassword(ctx, tx, p, u)
	})
}

func (l *Links) tellOfPassword(ctx context.Context, tx tenancy.Tx, p purpose, u User) error {
	action := audit.Action("password.initial_set")
	if p == resetPassword {
		action = "password.reset"
		done := mail.Mail{Kind: letter.PasswordResetDone, User: u.ID, Address: string(u.Email), At: l.Now()}
		if err := mail.Post(ctx, tx, done); err != nil {
			return err
		}
	}
	if !u.EmailVerified {
		if err := l.record(ctx, tx, "email.verified", u.ID); err != nil {
			return err
		}
	}
	return l.record(ctx, tx, action, u.ID)
}
