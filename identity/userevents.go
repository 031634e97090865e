package identity

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

func userCreated(by audit.Actor, u User) audit.Event {
	return audit.Event{Action: "user.created", Actor: by, At: u.CreatedAt}.User(u.ID).With("roles", u.Roles).With("email_verified", u.EmailVerified)
}

// userChanged tells one change apart into what it did: who looks for suspensions does not look through changes of names.
func userChanged(by audit.Actor, was, now User) (all []audit.Event) {
	e := func(a audit.Action) audit.Event {
		return audit.Event{Action: a, Actor: by, At: now.UpdatedAt}.User(now.ID)
	}
	if was.Name != now.Name {
		all = append(all, e("user.updated").With("fields", []string{"name"}))
	}
	if !slices.Equal(was.Roles, now.Roles) {
		all = append(all, e("user.roles_changed").With("roles", now.Roles).With("was", was.Roles))
	}
	switch {
	case was.Active && !now.Active:
		all = append(all, e("user.suspended"))
	case !was.Active && now.Active:
		all = append(all, e("user.reactivated"))
	}
	return all
}

func recordAll(ctx context.Context, tx tenancy.Tx, all []audit.Event) error {
	for _, e := range all {
		if err := audit.Record(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}
