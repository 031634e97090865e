package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// bootstrapLife is how long the code of a first administrator works.
const bootstrapLife = 24 * time.Hour

// Bootstrap lets the first administrator of an installation in, who has nobody to be invited by and perhaps no mail server
// to be written to. There is no password that an installation begins with: the operator at the command line hands over a code
// that works once, an invitation like any other but for the way it goes.
type Bootstrap struct{ Users *Users }

// Code is what is handed over. It is printed once; of the token only a hash is kept.
type Code struct {
	Token   string
	Expires time.Time
}

// Administrator finds or makes the user and makes their code; the code before it is good for nothing from then on. Refused is
// a user who is there and is no administrator, or has a password already.
func (s Bootstrap) Administrator(ctx context.Context, t tenancy.Tenant, n NewUser) (c Code, err error) {
	found, _, err := s.Users.List(ctx, t, id.User{}, 1, n.Email, "")
	if err != nil {
		return c, err
	}
	c = Code{Token: newSecret(linkPrefix, t), Expires: s.Users.Now().Add(bootstrapLife).UTC().Truncate(time.Second)}
	err = s.Users.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		if len(found) == 1 {
			return s.mint(ctx, tx, found[0].ID, c)
		}
		// Without the mail of an invitation: its link would be dead, for the code takes its place.
		u := User{ID: id.NewUser(), Email: n.Email, Name: n.Name, Roles: []Role{RoleAdmin}, AuthProvider: ProviderLocal, Active: true,
			CreatedAt: s.Users.Now().UTC().Truncate(time.Microsecond)}
		if err := insertUser(ctx, tx, u, ""); err != nil {
			return err
		}
		return s.mint(ctx, tx, u.ID, c, userCreated(audit.Actor{Type: audit.ByOperator}, u))
	})
	return c, err
}

// mint makes the code of a user. before is what is to be in the log before it.
func (s Bootstrap) mint(ctx context.Context, tx tenancy.Tx, who id.User, c Code, before ...audit.Event) error {
	a, err := lockAccount(ctx, tx, who)
	if err != nil {
		return err
	}
	switch u := a.User; {
	case !u.Active || u.AuthProvider != ProviderLocal || !contains(u.Roles, []Role{RoleAdmin}):
		return fmt.Errorf("%s is there and is no administrator who signs in with a password", u.Email)
	case a.Hash != "":
		return fmt.Errorf("%s has a password already", u.Email)
	}
	now := s.Users.Now()
	l := link{User: who, Purpose: invitation, Address: a.User.Email, Expires: c.Expires}
	minted, _, err := mintLink(ctx, tx, l, hashSecret(c.Token), mintedFor{uuid.New(), now})
	if err == nil && !minted {
		err = fmt.Errorf("%s was invited a moment ago: try again", a.User.Email)
	}
	if err != nil {
		return err
	}
	return recordAll(ctx, tx, append(before, userInvited(audit.Actor{Type: audit.ByOperator}, who, now).With("code", true)))
}
