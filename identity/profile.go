package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/picture"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Profiles is what signed-in users see and say of themselves.
type Profiles struct {
	DB  *tenancy.DB
	Now func() time.Time
}

// Profile is what users say about themselves; nil is unsaid. The name that tokens carry is not among it: that one is the
// administrator's.
type Profile struct {
	FirstName, LastName, DisplayName, Avatar *string
}

// ProfileChange is what a user changes of their profile: what is not set stays, and null takes away.
type ProfileChange struct {
	FirstName, LastName, DisplayName, Avatar strictjson.Optional[string]
}

// maxAvatar is the longest avatar, in bytes of its data URI.
const maxAvatar = 256 << 10

func (c ProfileChange) empty() bool { return c == ProfileChange{} }

// Profile is the profile of the caller.
func (s *Profiles) Profile(ctx context.Context, by Caller) (p Profile, err error) {
	err = s.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readProfile(b, by.User.ID, &p) })
	return p, err
}

// ChangeProfile changes the profile of the caller.
func (s *Profiles) ChangeProfile(ctx context.Context, by Caller, c ProfileChange) (p Profile, err error) {
	if c.empty() {
		return s.Profile(ctx, by)
	}
	now := s.Now()
	err = s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) (err error) {
		if p, err = updateProfile(ctx, tx, by.User.ID, c, now); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "profile.changed", Actor: by.Actor(), At: now}.User(by.User.ID))
	})
	return p, err
}

// parsePart reads a part of a name. What a form leaves blank is taken away.
func parsePart(given *strictjson.Optional[string]) error {
	if strings.TrimSpace(given.Value) == "" {
		given.Null, given.Value = given.Set, ""
		return nil
	}
	name, err := tenancy.ParseName(given.Value)
	if err != nil {
		return errors.New(strings.Replace(err.Error(), "1 to", "at most", 1))
	}
	given.Value = name
	return nil
}

func parseAvatar(given strictjson.Optional[string]) error {
	if uri, ok := given.Get(); ok {
		return picture.Check(uri, maxAvatar)
	}
	return nil
}
