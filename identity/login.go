// Package identity answers the second question about a request: who is asking?
//
// A login is a series of proofs that ends in a session and an access token signed with the tenant's own key:
//
//	POST /v1/auth/login            Logins.Password     read the user, hash, pepper, compare
//	                                     |
//	every other way in ----------> Logins.complete     the one way to a token: account state, session, signature
//	                                     |
//	                                  Grant            access token, refresh token
//
// and later requests are a [Caller]: a signed-in user or an API key, checked on every request against the tenant's
// schema, so that what was taken away is gone at once.
//
// Traps known here: every refusal of a login says the same and takes the same time, whatever the reason, so the work is
// done before the reasons are looked at; neither hashing nor custody happens inside a transaction; a session is written
// before its token is signed, and only if the account is still what it was when the password was read.
package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Logins signs people in.
type Logins struct{ LoginsOptions }

// LoginsOptions configures NewLogins.
type LoginsOptions struct {
	DB        *tenancy.DB
	Directory *tenancy.Directory
	Hasher    *password.Hasher
	Keys      custody.Custodian
	Tokens    *Tokens
	Lifetimes Lifetimes
	Now       func() time.Time
	Log       *slog.Logger
}

// Lifetimes of a session.
type Lifetimes struct {
	RefreshIdle     time.Duration // a refresh token not used for so long dies
	RefreshAbsolute time.Duration // a session dies, however busy
}

// DefaultLifetimes are those of NIST SP 800-63B-4 section 2.2.3 for an authenticator assurance level of 2.
var DefaultLifetimes = Lifetimes{RefreshIdle: 12 * time.Hour, RefreshAbsolute: 24 * time.Hour}

// NewLogins makes a Logins.
func NewLogins(o LoginsOptions) *Logins { return &Logins{o} }

// Client is where an attempt comes from, for the list of sessions its user sees.
type Client struct {
	IP        netip.Addr
	UserAgent string
}

// Grant is a completed login.
type Grant struct {
	Tenant         tenancy.Tenant
	AccessToken    string
	Expires        time.Time
	RefreshToken   string
	RefreshExpires time.Time
}

// account is what a login needs to know of a user. The zero account is nobody, and every password of theirs is wrong.
type account struct {
	User              User
	Hash              password.Hash
	CredentialVersion int
}

// login is an attempt whose proofs hold.
type login struct {
	account  account
	amr      []string // RFC 8176
	acr      string
	authTime time.Time
	client   Client
}

// patience bounds a login with all its waits, for Postgres, for the gate and for custody: however many of them are slow,
// the client hears of it within two seconds.
const patience = 1900 * time.Millisecond

// errEmailNotVerified is told only to whoever knows the password.
func errEmailNotVerified() error {
	return problem.New(problem.KindForbidden, "email_not_verified", "Please verify your e-mail address first.")
}

// Password signs in by e-mail address and password. Errors: 401 invalid_credentials for an unknown address, a wrong
// password, and an account that is suspended or has no password, all with the same work done; 403 email_not_verified; 503
// while Postgres or custody cannot answer or too many passwords wait to be hashed.
func (l *Logins) Password(ctx context.Context, t tenancy.Tenant, e Email, pw password.Password, c Client) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var a account
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readAccount(b, e, &a) }); err != nil {
		return Grant{}, err
	}
	ok, stale, err := l.Hasher.Verify(ctx, t.ID, a.User.ID, pw, a.Hash, pepper(l.Keys, t))
	if err != nil {
		return Grant{}, hashingError(err)
	}
	if !ok || !a.User.Active || a.User.AuthProvider != ProviderLocal {
		return Grant{}, problem.InvalidCredentials()
	}
	if !a.User.EmailVerified {
		return Grant{}, errEmailNotVerified()
	}
	g, err := l.complete(ctx, t, login{account: a, amr: []string{"pwd"}, acr: "aal1", authTime: l.Now(), client: c})
	if err == nil && stale {
		l.rehash(ctx, t, a, pw)
	}
	return g, err
}

// Nobody is Password for an address whose tenant nobody knows: the same answer after the same work, done with the
// platform tenant's schema and key. Nobody waits in a line of their own, so that a flood of them leaves the platform's
// administrators alone.
func (l *Logins) Nobody(ctx context.Context, pw password.Password) error {
	platform, err := l.Directory.BySlug(ctx, tenancy.PlatformSlug)
	if err != nil {
		return problem.Unavailable(time.Second, err)
	}
	var a account
	if err := l.DB.InBatch(ctx, platform, func(b *tenancy.Batch) { readAccount(b, "", &a) }); err != nil {
		return err
	}
	if _, _, err := l.Hasher.Verify(ctx, id.Tenant{}, a.User.ID, pw, a.Hash, pepper(l.Keys, platform)); err != nil {
		return hashingError(err)
	}
	return problem.InvalidCredentials()
}

// complete is the one way to a token: every login ends here, whatever it was proved by.
func (l *Logins) complete(ctx context.Context, t tenancy.Tenant, in login) (Grant, error) {
	// The tenant was looked up before the password was hashed, and may have been suspended since.
	if standing, err := l.Directory.ByID(ctx, t.ID); err != nil || standing.State == tenancy.Suspended {
		return Grant{}, cmp.Or(err, error(problem.TenantSuspended()))
	}
	now := l.Now()
	s, refresh := newSession(t, in, now, l.Lifetimes)
	written := false
	err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { writeSession(b, s, in.account, &written) })
	if err != nil {
		return Grant{}, err
	}
	if !written {
		// The account was suspended, deleted or given another password between our reading it and now.
		return Grant{}, problem.InvalidCredentials()
	}
	token, expires, err := l.Tokens.mint(ctx, t, in, s.ID, now)
	if err != nil {
		return Grant{}, err
	}
	return Grant{t, token, expires, refresh, s.RefreshExpires}, nil
}

// rehash brings a password hash to today's parameters, now that the password is at hand. It is a kindness: when it
// fails the next login tries again.
func (l *Logins) rehash(ctx context.Context, t tenancy.Tenant, a account, pw password.Password) {
	fresh, err := l.Hasher.Hash(ctx, t.ID, a.User.ID, pw, pepper(l.Keys, t))
	if err == nil {
		err = l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { replaceHash(b, a.User.ID, a.Hash, fresh) })
	}
	if err != nil {
		l.Log.LogAttrs(ctx, slog.LevelWarn, "login: could not renew a password hash",
			slog.String("tenant", t.ID.String()), slog.String("user", a.User.ID.String()), slog.Any("error", err))
	}
}

// pepper is the keyed step over a password hash, by the tenant's own key in custody.
func pepper(keys custody.Custodian, t tenancy.Tenant) password.Pepper {
	return func(ctx context.Context, version int, input []byte) ([]byte, int, error) {
		mac, used, err := keys.HMAC(ctx, t.ID, version, input)
		return mac, used, tenancy.KeysError(err)
	}
}

// hashingError tells a full gate from a fault: 503 with an honest Retry-After.
func hashingError(err error) error {
	var busy *password.BusyError
	if errors.As(err, &busy) {
		return problem.Unavailable(busy.RetryAfter, err)
	}
	return err
}
