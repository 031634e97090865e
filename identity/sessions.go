package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Sessions shows people where they are signed in, and ends it. An ended session is a deleted row, and the row is asked for
// with every access token and every refresh token, by every replica: nothing has to be told to anybody. What could not be
// deleted is not reported as ended.
type Sessions struct {
	DB  *tenancy.DB
	Now func() time.Time
}

// List is a page of the user's sessions in the order they began: those with a refresh token that still holds, and current.
func (s *Sessions) List(ctx context.Context, t tenancy.Tenant, u id.User, current, after id.Session, limit int) (all []Session, err error) {
	err = s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listSessions(b, u, current, after, s.Now(), limit, &all) })
	return all, err
}

// End ends one session of the caller's. Errors: 404 not_found for one that is not, or no longer, theirs.
func (s *Sessions) End(ctx context.Context, by Caller, session id.Session) error {
	if by.OfApplication() && session != by.Session.ID { // an application ends its own
		return problem.NotFound()
	}
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		ended, err := endSession(ctx, tx, by.User.ID, session)
		if err != nil {
			return err
		}
		if !ended {
			return problem.NotFound()
		}
		e := audit.Event{Action: "session.ended", Actor: by.Actor(), At: s.Now()}
		return audit.Record(ctx, tx, e.User(by.User.ID).With("session", session.String()))
	})
}

// EndAll ends all sessions of the caller, this one included, and the logins they have begun.
func (s *Sessions) EndAll(ctx context.Context, by Caller) error {
	return s.revoke(ctx, by, by.User.ID, func(User) error { return nil })
}

// Revoke is EndAll for an administrator. Errors: 404 not_found; 409 owner_protected where it is the owner and somebody else
// asks; 403.
func (s *Sessions) Revoke(ctx context.Context, by Caller, u id.User) error {
	return s.revoke(ctx, by, u, func(was User) error {
		if by.User != nil && by.User.ID == was.ID {
			return nil
		}
		return by.MayReset(was)
	})
}

func (s *Sessions) revoke(ctx context.Context, by Caller, u id.User, may func(User) error) error {
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		was, err := LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := may(was); err != nil {
			return err
		}
		if err := expireLogins(ctx, tx, u); err != nil {
			return err
		}
		n, err := endSessionsBut(ctx, tx, u, id.Session{})
		if err == nil {
			err = killLinks(ctx, tx, u) // somebody else may have asked for them
		}
		if err != nil {
			return err
		}
		e := audit.Event{Action: "sessions.revoked", Actor: by.Actor(), At: s.Now()}
		return audit.Record(ctx, tx, e.User(u).With("sessions", n))
	})
}

// EndSessions ends all sessions of a user but one, the logins under way and the links that were mailed; the zero session spares
// none.
func EndSessions(ctx context.Context, tx tenancy.Tx, u id.User, but id.Session) error {
	if err := expireLogins(ctx, tx, u); err != nil {
		return err
	}
	if err := killLinks(ctx, tx, u); err != nil {
		return err
	}
	_, err := endSessionsBut(ctx, tx, u, but)
	return err
}
