package identity

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// errWrongPassword is told to a signed-in user, so it is no 401: their credential is good.
func errWrongPassword() error {
	return problem.New(problem.KindInvalid, "invalid_credentials", "The current password is wrong.")
}

// ChangePassword gives the caller another password in exchange for the one they have. Their other sessions end, and with
// them every login under way; the one they ask in goes on, so that whoever changes a password because somebody else knows
// it is the one who stays. Errors: 403 reauthentication_required; 400 invalid_credentials, weak_password;
// 429 as at a login, whose count it shares; 503.
func (s *Users) ChangePassword(ctx context.Context, by Caller, current, fresh password.Password) error {
	if err := by.Fresh(s.Now()); err != nil {
		return err
	}
	var a account
	if err := s.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readAccountByID(b, by.User.ID, &a) }); err != nil {
		return err
	}
	if err := s.confirm(ctx, by.Tenant, a, current); err != nil {
		return err
	}
	hash, err := s.hash(ctx, by.Tenant, a.User, fresh)
	if err != nil {
		return inField(err, "new_password")
	}
	return s.replacePassword(ctx, by, a, hash, s.Now())
}

// confirm holds a password against that of somebody who is signed in. Errors: 400 invalid_credentials, 429, 503.
func (s *Users) confirm(ctx context.Context, t tenancy.Tenant, a account, pw password.Password) error {
	right, err := s.Throttle.Check(ctx, t, a.User.tried(), func(ctx context.Context) (bool, error) {
		ok, _, err := s.Hasher.Verify(ctx, t.ID, a.User.ID, pw, a.Hash, pepper(s.Keys, t))
		return ok && a.User.AuthProvider == ProviderLocal, err
	})
	if err == nil && !right {
		err = errWrongPassword()
	}
	return err
}

func (s *Users) replacePassword(ctx context.Context, by Caller, a account, hash password.Hash, now time.Time) error {
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		changed, err := changePassword(ctx, tx, a, hash, now)
		if err != nil {
			return err
		}
		if !changed {
			return errWrongPassword()
		}
		if err := signOut(ctx, tx, a.User.ID, by.Session.ID); err != nil {
			return err
		}
		if err := mail.Post(ctx, tx, mail.Mail{Kind: letter.PasswordChanged, User: a.User.ID, Address: string(a.User.Email), At: now}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "password.changed", Actor: by.Actor(), At: now}.User(a.User.ID))
	})
}

// inField says of a weak password which member of the request it was.
func inField(err error, name string) error {
	weak, ok := errors.AsType[*problem.Error](err)
	if !ok || weak.Code != "weak_password" {
		return err
	}
	fields, _ := weak.Details["fields"].(map[string]string)
	return weak.Detail("fields", map[string]string{name: fields["password"]})
}
