package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// SetPassword gives a user another password, ends the wait for the next try and signs them out everywhere; verified says, too, that the address is
// theirs. It is for operators: an owner who has no password yet, and people who are locked out. Errors: 400
// weak_password, 404 not_found, 503.
func (s *Users) SetPassword(ctx context.Context, t tenancy.Tenant, u id.User, pw password.Password, verified bool) error {
	who, err := s.Show(ctx, t, u)
	if err != nil {
		return err
	}
	hash, err := s.hash(ctx, t, who, pw)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		if err := setPassword(ctx, tx, u, hash, verified, s.Now()); err != nil {
			return err
		}
		if err := guessing.Forget(ctx, tx, u); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, u); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "password.changed", Actor: audit.Actor{Type: audit.ByOperator}, At: s.Now()}.User(u))
	})
}
