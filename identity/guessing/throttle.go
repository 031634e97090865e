// Package guessing makes guessing passwords slow. A try is counted as a wrong one before the password is looked at, and given
// back if it was right:
//
//	Begin --counted--> look at the password --right--> Right    the account's count is forgotten
//	  |                                     --wrong--> Wrong    the network's count grows, too; the owner is told of a lock
//	  429                                   --503----> Refund   nobody has learned anything
//
// A count that came after the look would let a hundred tries be looked at before the first was counted. Unknown names are
// counted like known ones, by the same statements, so that neither an answer nor its time tells one from the other.
//
// What is counted by: the account, for ever, and the network the tries come from, by the minute and the hour (network.go).
// A network's failures count when they are known to be failures; what is over the limit then is not told either way. So
// people who sign in all at once behind one address do not get into each other's way.
//
// How long to wait is a curve (CountAgain) that mfa counts second factors by, in a table of its own. What a password is, and
// whether it is right, is not known here; of users only the id, and the address that tells whose account is tried.
package guessing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Throttle counts tries at passwords, and what networks do too often.
type Throttle struct {
	ThrottleOptions
	nameKeys *tenancy.PerTenant[[]byte]
	local    *local
	turns    *turns
}

// ThrottleOptions configures NewThrottle.
type ThrottleOptions struct {
	DB   *tenancy.DB
	Keys custody.Custodian
	Now  func() time.Time
}

// NewThrottle makes a Throttle. One serves the whole process.
func NewThrottle(o ThrottleOptions) *Throttle {
	h := &Throttle{ThrottleOptions: o, local: newLocal(), turns: newTurns()}
	h.nameKeys = tenancy.NewPerTenant(h.nameKey)
	return h
}

const (
	// freeFailures cost no wait; after the n-th failure 2^(n-freeFailures) seconds have to pass, maxWait at most.
	freeFailures = 5
	maxWait      = 900 * time.Second
	// MaxConsecutive is how many wrong answers in a row an account takes before somebody has to intervene: its user by
	// mail, or an administrator (NIST SP 800-63B-4 section 3.2.2).
	MaxConsecutive = 100
	// stopped is the Retry-After of an account that has taken so many: time alone does not help it.
	stopped = time.Hour
)

// Guessed is whose password is tried.
type Guessed struct {
	kind    string
	address string
	user    id.User
}

// Named is the account of an address, if there is one or not.
func Named(address string) Guessed { return Guessed{kind: "account", address: address} }

// Known is the account of a user who is known, for the password that a signed-in user is asked for once more. It counts
// with the tries of strangers at the same account: a stolen session is no second place to guess at.
func Known(u id.User) Guessed { return Guessed{user: u} }

// Homeless is an address that belongs to no tenant. It is counted in the platform's schema, apart from its accounts.
func Homeless(address string) Guessed { return Guessed{kind: "homeless", address: address} }

// User is whose account was tried, once that is known; the zero User is nobody.
type User struct {
	ID        id.User
	Address   string
	MaySignIn bool // only who may is written to
}

// Try is one try at a password, counted already as a wrong one.
type Try struct {
	account     uuid.UUID // where it is counted
	windows     []window  // of the network, where it is counted if it was wrong
	network     netip.Prefix
	failures    int
	consecutive int
	at          time.Time
	suspect     bool
	release     func() // the turn
}

// Suspect reports whether it is likely to be a guess: something from its network, or at its account, has failed lately. It is
// judged behind others, so that a spray is in its own way. It says nothing about whether there is such an account.
func (y Try) Suspect() bool { return y.suspect || y.failures > 1 }

// End is called once a try is over, however it ended.
func (y Try) End() { y.release() }

// locks reports whether this failure is the first that others have to wait after.
func (y Try) locks() bool { return y.failures == freeFailures+1 }

// stops reports whether it is the one after which waiting does not help.
func (y Try) stops() bool { return y.consecutive == MaxConsecutive }

// Begin counts a try, durably, and lets it be looked at. Errors: 429 while the account or the network has to wait, the same
// whatever the password and whether or not there is such an account; 503. also reads, in the same round trip, what the
// password is judged by. A try that was begun is ended.
func (h *Throttle) Begin(ctx context.Context, t tenancy.Tenant, who Guessed, from netip.Addr, also func(*tenancy.Batch)) (Try, error) {
	y := Try{at: h.Now(), network: networkOf(from)}
	names, err := h.nameKeys.Of(ctx, t)
	if err != nil {
		return Try{}, err
	}
	y.account = who.key(names)
	y.windows = passwordLimits.of(names, who.kind, y.network)
	if wait := max(h.local.wait(y.network, y.at), h.local.waitAt(y.windows, y.at)); wait > 0 {
		return Try{}, problem.RateLimited(wait)
	}
	y.suspect = h.local.failing(y.network, y.at)
	if y.release, err = h.turns.take(ctx, y.account); err != nil {
		return Try{}, err
	}
	counted := false
	err = h.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		countTry(b, &y, who.account(), &counted)
		also(b)
	})
	if err == nil && !counted {
		err = h.refusal(ctx, t, y, who.account())
	}
	if err != nil {
		y.End()
	}
	return y, err
}

// refusal says when the next try counts.
func (h *Throttle) refusal(ctx context.Context, t tenancy.Tenant, y Try, address string) error {
	var account, network time.Duration
	err := h.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readWait(b, y, address, &account, &network) })
	if err != nil {
		return err
	}
	if network > 0 {
		h.local.shutUntil(y.windows, y.at.Add(network))
	}
	return problem.RateLimited(max(account, network, time.Second)) // it has just ended, or ends now
}

// Right forgets the account's failures. Errors: 429 where the network has used up its failures meanwhile, so that of all the
// tries it makes at once nothing is learned of those over the limit; 503.
func (h *Throttle) Right(ctx context.Context, t tenancy.Tenant, y Try) error {
	defer y.End()
	var wait time.Duration
	err := h.DB.InBatch(ctx, t, func(b *tenancy.Batch) { forgive(b, y, &wait) })
	if err == nil && wait > 0 {
		err = problem.RateLimited(wait)
	}
	return err
}

// Refund takes a count back when an outage of ours, or a client that hung up, kept the password from being judged. It is a
// kindness. Who hangs up has learned nothing, but has had a password hashed; so it counts in memory against the network, or
// who always did it could have hashed without end, and before all others.
func (h *Throttle) Refund(ctx context.Context, t tenancy.Tenant, y Try) {
	defer y.End()
	if errors.Is(ctx.Err(), context.Canceled) {
		h.local.count(y.network, y.at)
	}
	ctx = context.WithoutCancel(ctx)
	_ = h.DB.InBatch(ctx, t, func(b *tenancy.Batch) { uncountTry(b, y) })
}

// Wrong records that a try was wrong: more is a batch's worth of it, for entries of the audit log last of all. Errors: 429 in place of the caller's own refusal where
// the network is over its limit, 503.
func (h *Throttle) Wrong(ctx context.Context, t tenancy.Tenant, y Try, u User, more func(*tenancy.Batch)) error {
	defer y.End()
	var wait time.Duration
	err := h.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		countWindows(b, y.windows, y.at, &wait)
		y.trim(b)
		if y.locks() || y.stops() {
			tellOwner(b, y, u)
		}
		more(b)
		if y.locks() {
			audit.Queue(ctx, b, t, throttled(y, u))
		}
	})
	if err != nil {
		return err
	}
	if wait > 0 {
		h.local.shutUntil(y.windows, y.at.Add(wait))
	}
	if wait = max(wait, h.local.count(y.network, y.at)); wait > 0 {
		return problem.RateLimited(wait)
	}
	return nil
}

// Check is the whole of it around a password that a signed-in user is asked for once more: check is called if the user does
// not have to wait, and says whether the password is right. Errors: 429, 503, and those of check.
func (h *Throttle) Check(ctx context.Context, t tenancy.Tenant, u User, check func(context.Context) (bool, error)) (ok bool, err error) {
	y, err := h.Begin(ctx, t, Known(u.ID), netip.Addr{}, func(*tenancy.Batch) {})
	if err != nil {
		return false, err
	}
	defer y.End()
	ok, err = check(ctx)
	switch {
	case err != nil:
		h.Refund(ctx, t, y)
		return false, err
	case ok:
		return true, h.Right(ctx, t, y)
	default:
		return false, h.Wrong(ctx, t, y, u, func(*tenancy.Batch) {})
	}
}

// trim bounds the table by the bucket of a row that this try may have made.
func (y Try) trim(b *tenancy.Batch) {
	switch {
	case isName(y.account):
		trimFailures(b, y.account, y.at)
	case len(y.windows) > 0:
		trimFailures(b, y.windows[0].key, y.at)
	}
}

// tellOwner has the owner of a locked account written to, once when waiting begins and once when it is of no more use. For
// nobody the same statement is sent, and writes nothing.
func tellOwner(b *tenancy.Batch, y Try, u User) {
	m := mail.Mail{Kind: letter.AccountLocked, User: u.ID, Address: u.Address, At: y.at}
	mail.QueueIf(b, m, !u.ID.IsZero() && u.MaySignIn)
}

func throttled(y Try, u User) audit.Event {
	e := audit.Event{Action: "login.throttled", Actor: audit.Actor{Type: audit.ByAnonymous}, At: y.at}
	if u.ID.IsZero() {
		return e
	}
	return e.User(u.ID)
}

// nameKey is what names and networks are hashed with, so that nobody can tell from outside which rows of the table are
// neighbours and push each other out, and nobody from inside whose names were tried. It is always of the first version of
// the tenant's key, so that counts outlive a rotation.
func (h *Throttle) nameKey(ctx context.Context, t tenancy.Tenant) ([]byte, error) {
	key, _, err := h.Keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/failures/1\x00"+t.ID.String()))
	return key, tenancy.KeysError(err)
}

// account is the address whose user the try counts against, if there is one.
func (g Guessed) account() string {
	if g.kind == "account" {
		return g.address
	}
	return ""
}

// key is where the try is counted if nobody has the name.
func (g Guessed) key(names []byte) uuid.UUID {
	if !g.user.IsZero() {
		return uuid.UUID(g.user)
	}
	return counterKey(names, g.kind, g.address)
}

// counterKey hashes what is counted. Its first bit is set, which keeps it apart from the ids of users.
func counterKey(names []byte, kind, name string) (key uuid.UUID) {
	m := hmac.New(sha256.New, names)
	m.Write([]byte(kind + "\x00" + name))
	copy(key[:], m.Sum(nil))
	key[0] |= 0x80
	return key
}

// isName reports whether a counter is no user's.
func isName(key uuid.UUID) bool { return key[0]&0x80 != 0 }
