package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Provider is where a user's identity is proved.
type Provider string

// ProviderLocal users sign in here; the others are sent elsewhere.
const ProviderLocal Provider = "local"

// User is a person of a tenant.
type User struct {
	ID            id.User
	Email         Email
	Name          string
	Roles         []Role
	AuthProvider  Provider
	Active        bool
	EmailVerified bool
	Owner         bool     // of the tenant: at most one, and out of reach of other administrators
	Factors       []string // kinds of second factor the user has confirmed
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Avatar        *string // read for administrators alone: it is hundreds of times longer than all the rest
}

// Users is the administration of a tenant's users.
type Users struct {
	UsersOptions
}

// UsersOptions configures NewUsers.
type UsersOptions struct {
	DB       *tenancy.DB
	Repeat   *tenancy.Repeat
	Hasher   *password.Hasher
	Keys     custody.Custodian
	Throttle *guessing.Throttle
	Settings *settings.Store
	Hosts    *tenancy.PerTenant[[]tenancy.Host]
	Breaches password.Breaches // nil: none
	Now      func() time.Time
}

// NewUsers makes a Users.
func NewUsers(o UsersOptions) *Users { return &Users{UsersOptions: o} }

// NewUser is what an administrator says about a user to be.
type NewUser struct {
	Email         Email
	Name          string
	Roles         []Role
	EmailVerified bool
	Password      password.Password // zero: none; the user chooses one on being invited
}

func emailTaken() error {
	return problem.New(problem.KindConflict, "email_taken", "There is a user with this e-mail address.")
}

func ownerProtected() error {
	return problem.New(problem.KindConflict, "owner_protected", "The owner of the tenant can be changed by nobody else.")
}

// Create adds a user. Errors: 409 email_taken, 400 weak_password, 403 where the caller may not give the roles, 503.
func (s *Users) Create(ctx context.Context, by Caller, op tenancy.Operation, n NewUser, render func(User) any) (json.RawMessage, error) {
	if !by.mayTouch(n.Roles) { // asked before a repetition is answered, too: rights may have gone meanwhile
		return nil, problem.Forbidden()
	}
	return s.Repeat.Create(ctx, by.Tenant, op, func(ctx context.Context) (any, func(context.Context, tenancy.Tx) error, error) {
		u := User{ID: id.NewUser(), Email: n.Email, Name: n.Name, Roles: n.Roles, AuthProvider: ProviderLocal, Active: true,
			EmailVerified: n.EmailVerified, CreatedAt: s.Now().UTC().Truncate(time.Microsecond)}
		u.UpdatedAt = u.CreatedAt
		hash, err := s.hash(ctx, by.Tenant, u, n.Password)
		if err != nil {
			return nil, nil, err
		}
		return render(u), func(ctx context.Context, tx tenancy.Tx) error { return s.insert(ctx, tx, by, u, hash) }, nil
	})
}

// insert files a user together with their first mail.
func (s *Users) insert(ctx context.Context, tx tenancy.Tx, by Caller, u User, hash password.Hash) error {
	if err := insertUser(ctx, tx, u, hash); err != nil {
		return err
	}
	if err := welcome(ctx, tx, u, hash != "", u.CreatedAt); err != nil {
		return err
	}
	events := []audit.Event{userCreated(by.Actor(), u)}
	if hash == "" {
		events = append(events, userInvited(by.Actor(), u.ID, u.CreatedAt))
	}
	return recordAll(ctx, tx, events)
}

// pictures is how many bytes of avatars one list holds, and those of one user more.
const pictures = 2 << 20

// List is a page of users in the order they were made. email is an exact address, query a part of an address or name;
// empty ones do not filter. The first whole of them come with their avatars: two hundred and fifty would be an answer of
// 64 MB.
func (s *Users) List(ctx context.Context, t tenancy.Tenant, after id.User, limit int, email Email, query string) (all []User, whole int, err error) {
	err = s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listUsers(b, after, limit, email, query, &all, &whole) })
	return all, whole, err
}

// Show is one user. Errors: 404 not_found.
func (s *Users) Show(ctx context.Context, t tenancy.Tenant, u id.User) (User, error) {
	var found *User
	err := s.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readUser(b, u, &found) })
	if err == nil && found == nil {
		err = problem.NotFound()
	}
	if err != nil {
		return User{}, err
	}
	return *found, nil
}

// UserChange is what an administrator may change of a user; nil is left as it is.
type UserChange struct {
	Name   *string
	Roles  []Role
	Active *bool
}

// Update changes a user; one who is suspended, or loses a role, is signed out everywhere. Errors: 404 not_found, 409
// owner_protected, 403 where the caller may not touch the user's roles, old or new.
func (s *Users) Update(ctx context.Context, by Caller, u id.User, c UserChange) (changed User, err error) {
	err = s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		was, err := LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		if err := by.mayChange(was, c); err != nil {
			return err
		}
		changed, err = updateUser(ctx, tx, u, c, s.Now())
		if err != nil {
			return err
		}
		switch {
		case was.Active && !changed.Active:
			err = signOut(ctx, tx, u, id.Session{})
		case !contains(changed.Roles, was.Roles):
			err = endSessions(ctx, tx, u)
		}
		if err != nil {
			return err
		}
		return recordAll(ctx, tx, userChanged(by.Actor(), was, changed))
	})
	return changed, err
}

// Delete removes a user with everything that is theirs. Errors: 404 not_found, 409 owner_protected, 403.
func (s *Users) Delete(ctx context.Context, by Caller, u id.User) error {
	return s.DB.InTx(ctx, by.Tenant, func(ctx context.Context, tx tenancy.Tx) error {
		was, err := LockUser(ctx, tx, u)
		if err != nil {
			return err
		}
		inactive := false
		if err := by.mayChange(was, UserChange{Active: &inactive}); err != nil {
			return err
		}
		if err := deleteUser(ctx, tx, u); err != nil {
			return err
		}
		if err := errors.Join(guessing.Forget(ctx, tx, u), s.tellOfDeletion(ctx, tx, was)); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Event{Action: "user.deleted", Actor: by.Actor(), At: s.Now()}.User(u))
	})
}

// tellOfDeletion writes to somebody whose account was theirs; an address that was never proved may be somebody else's.
func (s *Users) tellOfDeletion(ctx context.Context, tx tenancy.Tx, u User) error {
	if !u.EmailVerified {
		return nil
	}
	return mail.Post(ctx, tx, mail.Mail{Kind: letter.AccountDeleted, User: u.ID, Address: string(u.Email), At: s.Now()})
}

// MayReset is mayChange for taking a user's factors away.
func (c Caller) MayReset(was User) error {
	inactive := false
	return c.mayChange(was, UserChange{Active: &inactive})
}

// MayUnlock refuses whoever may not touch the user's rights: forgetting failures lets them be guessed at.
func (c Caller) MayUnlock(u User) error {
	if !c.mayTouch(u.Roles) {
		return problem.Forbidden()
	}
	return nil
}

// mayChange is the rule that nobody touches a right above their own, and nobody else the owner's standing.
func (c Caller) mayChange(was User, change UserChange) error {
	if !c.mayTouch(was.Roles) || !c.mayTouch(change.Roles) {
		return problem.Forbidden()
	}
	demoted := change.Roles != nil && !slices.Contains(change.Roles, RoleAdmin)
	suspended := change.Active != nil && !*change.Active
	if was.Owner && (demoted || suspended) {
		return ownerProtected()
	}
	return nil
}
