// Package identity answers the second question about a request: who is asking?
//
// A login is a series of proofs that ends in a session and an access token signed with the tenant's own key:
//
//	POST /v1/auth/login            Logins.Password     read the user, hash, pepper, compare
//	                                     |
//	second factor, passkey, ------> Logins.Finish      mfa brings back a proof
//	step-up                              |
//	                               Logins.complete     the one way to a token: account state, the tenant's rules, owed factors
//	                                  |      |
//	refresh token --Refresh--> Logins.issue  Debt      signature, session; or what is still to be proved
//	                                  |
//	                                Grant              an access token and a refresh token
//
// and later requests are a [Caller]: a signed-in user or an API key, checked on every request against the tenant's
// schema, so that what was taken away is gone at once.
//
// Traps known here: every refusal of a login says the same and takes the same time, whatever the reason, so the work is
// done before the reasons are looked at; neither hashing nor custody happens inside a transaction; a token is signed before
// its session is written and told after, and a session is written only if the account is still what it was when the first
// factor was proved.
package identity

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Logins signs people in, and keeps them signed in.
type Logins struct {
	LoginsOptions
	refreshKeys *tenancy.PerTenant[[]byte]
}

// LoginsOptions configures NewLogins.
type LoginsOptions struct {
	DB        *tenancy.DB
	Directory *tenancy.Directory
	Settings  *settings.Store
	Hasher    *password.Hasher
	Keys      custody.Custodian
	Sealing   tenancy.SealingKeys
	Tokens    *Tokens
	Factors   Factors
	Judge     *Judge
	Throttle  *guessing.Throttle
	Patience  time.Duration // bounds a login with all its waits, for Postgres, for the gate and for custody
	Now       func() time.Time
	Log       *slog.Logger
}

// NewLogins makes a Logins.
func NewLogins(o LoginsOptions) *Logins {
	l := &Logins{LoginsOptions: o}
	l.refreshKeys = tenancy.NewPerTenant(l.refreshKey)
	return l
}

// Client is where an attempt comes from, for the list of sessions its user sees.
type Client struct {
	IP        netip.Addr
	UserAgent string
}

// account is what a login needs to know of a user. The zero account is nobody, and every password of theirs is wrong.
type account struct {
	User              User
	Hash              password.Hash
	CredentialVersion int
}

// DefaultPatience keeps the promise that whatever is slow, a client hears of it within two seconds.
const DefaultPatience = 1900 * time.Millisecond

// errEmailNotVerified is told only to whoever knows the password.
func errEmailNotVerified() error {
	return problem.New(problem.KindForbidden, "email_not_verified", "Please verify your e-mail address first.")
}

// Password signs in by e-mail address and password. Errors: 401 invalid_credentials for an unknown address, a wrong
// password, and an account that is suspended or has no password, all with the same work done; 403 email_not_verified; 503
// while Postgres or custody cannot answer or too many passwords of all tenants wait to be hashed; 429 while too many of this
// tenant do, or while the account or the client's network has to wait, whatever the password.
func (l *Logins) Password(ctx context.Context, t tenancy.Tenant, e Email, pw password.Password, c Client) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	if err := l.Hasher.Room(t.ID); err != nil { // a storm that is turned away costs no transaction
		return Outcome{}, err
	}
	var a account
	try, err := l.Throttle.Begin(ctx, t, guessing.Named(string(e)), c.IP, func(b *tenancy.Batch) { readAccount(b, e, &a) })
	if err != nil {
		return Outcome{}, err
	}
	defer try.End()
	ok, stale, err := l.hasher(try).Verify(ctx, t.ID, a.User.ID, pw, a.Hash, pepper(l.Keys, t))
	if err != nil {
		l.Throttle.Refund(ctx, t, try)
		return Outcome{}, err
	}
	why := a.refusal(ok)
	if why != "" && why != emailNotVerified {
		return Outcome{}, l.wrong(ctx, t, try, a.User, why)
	}
	if err := l.Throttle.Right(ctx, t, try); err != nil {
		return Outcome{}, err
	}
	if why == emailNotVerified {
		return Outcome{}, l.refuse(ctx, t, a.User.ID, why)
	}
	o, err := l.complete(ctx, t, Holder{account: &a}, Proof{User: a.User.ID, AMR: []string{"pwd"}, AuthTime: l.Now(), CredentialVersion: a.CredentialVersion, Client: c})
	if err == nil && (stale || l.outdated(ctx, t, a.Hash)) {
		l.rehash(ctx, t, a, pw)
	}
	return o, err
}

// hasher lets guesses wait behind others.
func (l *Logins) hasher(y guessing.Try) *password.Hasher {
	if y.Suspect() {
		return l.Hasher.Behind()
	}
	return l.Hasher
}

// Holder is the account that a proof is of, as mfa read it while it spent the proof.
type Holder struct {
	account *account
	ends    *time.Time // of the session that is raised: when it does, or zero if it has; nil where a session is begun
}

// ReadHolder reads the account and the session of a proof as the statements before it in the batch have left them.
func ReadHolder(b *tenancy.Batch, p Proof) Holder {
	h := Holder{account: new(account)}
	readAccountByID(b, p.User, h.account)
	if !p.Session.IsZero() {
		h.ends = new(time.Time)
		readExpiry(b, p.Session, h.ends)
	}
	return h
}

// ended reports whether the session that was to be raised is no more.
func (h Holder) ended() bool { return h.ends != nil && h.ends.IsZero() }

// Finish goes on with a login of which mfa has brought back a proof. The zero Holder is read here. Errors: 401
// invalid_credentials where the account is no longer what it was when the first factor was proved.
func (l *Logins) Finish(ctx context.Context, t tenancy.Tenant, p Proof, h Holder) (Outcome, error) {
	if h.account == nil {
		if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { h = ReadHolder(b, p) }); err != nil {
			return Outcome{}, err
		}
	}
	a := h.account
	if a.User.ID != p.User || !a.User.Active || !a.User.EmailVerified || a.CredentialVersion != p.CredentialVersion || h.ended() {
		return Outcome{}, l.refuse(ctx, t, p.User, accountChanged)
	}
	return l.complete(ctx, t, h, p)
}

// Nobody is Password for an address whose tenant nobody knows: the same answer after the same work, done with the
// platform tenant's schema and key. Nobody waits in a line of their own, so that a flood of them leaves the platform's
// administrators alone.
func (l *Logins) Nobody(ctx context.Context, e Email, pw password.Password, c Client) error {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	if err := l.Hasher.Room(id.Tenant{}); err != nil {
		return err
	}
	platform, err := l.Directory.BySlug(ctx, tenancy.PlatformSlug)
	if err != nil {
		return problem.Unavailable(time.Second, err)
	}
	var a account
	try, err := l.Throttle.Begin(ctx, platform, guessing.Homeless(string(e)), c.IP, func(b *tenancy.Batch) { readAccount(b, "", &a) })
	if err != nil {
		return err
	}
	defer try.End()
	if _, _, err := l.Hasher.Verify(ctx, id.Tenant{}, a.User.ID, pw, a.Hash, pepper(l.Keys, platform)); err != nil {
		l.Throttle.Refund(ctx, platform, try)
		return err
	}
	return l.wrong(ctx, platform, try, User{}, unknownDomain)
}

// rehash brings a password hash to today's parameters, now that the password is at hand. It is a kindness: when it
// fails the next login tries again.
func (l *Logins) rehash(ctx context.Context, t tenancy.Tenant, a account, pw password.Password) {
	// An imported hash may have taken most of the time there was, and would be verified again the next time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DefaultPatience)
	defer cancel()
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
