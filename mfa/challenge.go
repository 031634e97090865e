package mfa

import (
	"context"
	"crypto/sha256"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	challengeLife  = 5 * time.Minute
	challengeTries = 5
	// perUser is how many challenges of one user are kept: a client that begins logins without end pushes out its own.
	perUser = 20
)

type purpose string

const (
	purposeLogin    purpose = "login"
	purposeEnroll   purpose = "enroll"   // of the first factor, before the login it is demanded by
	purposeStepUp   purpose = "step_up"  // of a session there is
	purposeRegister purpose = "register" // of a WebAuthn credential by a signed-in user
	purposePasskey  purpose = "passkey"  // sign-in without a password: one that is done, kept so that it is not done again
)

// challenge is something to be proved.
type challenge struct {
	purpose  purpose
	methods  []string // what may be used
	proof    identity.Proof
	ceremony string // WebAuthn: what the browser was asked for, see ceremony
}

// The answers to whoever comes with a challenge id.
func errChallengeExpired() *problem.Error {
	return problem.New(problem.KindUnauthenticated, "challenge_expired", "This sign-in has expired. Please begin again.")
}

func errInvalidCode(k problem.Kind) *problem.Error {
	return problem.New(k, "invalid_code", "This code is not valid.")
}

func errAlreadyEnrolled() *problem.Error {
	return problem.New(problem.KindConflict, "already_enrolled", "There is a second factor already.")
}

// owe records a challenge and tells its id. The id is random through and through and not one of our ordered ids: it is
// a secret that is guessed at. Of it only a hash is kept.
func (f *Factors) owe(ctx context.Context, t tenancy.Tenant, c challenge) (*identity.Debt, error) {
	secret := uuid.New().String()
	now := f.Now()
	err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { writeChallenge(b, hashID(secret), c, now) })
	if err != nil {
		return nil, err
	}
	return &identity.Debt{Challenge: secret, Methods: c.methods, Enrolment: c.purpose == purposeEnroll}, nil
}

var idGrammar = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func hashID(id string) []byte {
	h := sha256.Sum256([]byte("challenge " + id))
	return h[:]
}

// attempt is one try at a challenge, already counted against the challenge and the account.
type attempt struct {
	hash []byte
	challenge
	holder identity.Holder // read as the proof is spent
}

// guard is the account's standing with second factors.
type guard struct {
	open         bool // the challenge can be tried
	blockedUntil time.Time
	consecutive  int
}

// try counts a try and gives the challenge to be tried at. The count comes first: an answer that was looked at before
// it was counted could be looked at a hundred times at once. Errors: 401 challenge_expired for an id that is unknown,
// expired, used up or for something else; 429 while the account has to wait. also reads what the answer is judged by, in
// the same round trip.
func (f *Factors) try(ctx context.Context, t tenancy.Tenant, id string, kinds []string, also func(*tenancy.Batch, []byte), purposes ...purpose) (attempt, error) {
	if !idGrammar.MatchString(id) {
		return attempt{}, errChallengeExpired()
	}
	a := attempt{hash: hashID(id)}
	counted, now := false, f.Now()
	err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		countTry(b, a.hash, purposes, kinds, now, &a.challenge, &counted)
		also(b, a.hash)
	})
	if err != nil {
		return attempt{}, err
	}
	if !counted {
		return attempt{}, f.notCounted(ctx, t, a.hash, purposes, kinds, now)
	}
	return a, nil
}

// notCounted is why a try was not counted.
func (f *Factors) notCounted(ctx context.Context, t tenancy.Tenant, hash []byte, purposes []purpose, kinds []string, now time.Time) error {
	var g guard
	if err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readGuard(b, hash, purposes, kinds, now, &g) }); err != nil {
		return err
	}
	switch {
	case g.consecutive >= guessing.MaxConsecutive:
		return problem.RateLimited(time.Hour)
	case g.blockedUntil.After(now):
		return problem.RateLimited(g.blockedUntil.Sub(now))
	case g.open: // what it had to wait for is over, or was forgiven, since it was refused
		return problem.RateLimited(time.Second)
	default:
		return errChallengeExpired()
	}
}

// refund takes a counted try back when it was an outage of ours that failed it.
func (f *Factors) refund(ctx context.Context, t tenancy.Tenant, a attempt) {
	ctx = context.WithoutCancel(ctx)
	_ = f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { uncountTry(b, a.hash, a.proof) })
}

// spend accepts the proof: it spends what was proved with together with the challenge, and forgets the wrong answers
// before it. spent is a statement that changes one row if the proof is good for the first time. Two requests with the
// same code meet at that row; one finds it changed and is refused.
//
// The account that the login goes on with is read in the same round trip.
func (f *Factors) spend(ctx context.Context, t tenancy.Tenant, a *attempt, spent statement) error {
	done := false
	err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		payChallenge(b, a.hash, spent, &done)
		a.holder = identity.ReadHolder(b, a.proof)
	})
	if err == nil && !done {
		return refuse(reasonUsed, nil)
	}
	return err
}

// open is the challenge under an id, without a try at it. Errors: 401 challenge_expired.
func (f *Factors) open(ctx context.Context, t tenancy.Tenant, id string, kinds []string, purposes ...purpose) (attempt, error) {
	a := attempt{hash: hashID(id)}
	found := false
	if idGrammar.MatchString(id) {
		err := f.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readChallenge(b, a.hash, f.Now(), &a.challenge, &found) })
		if err != nil {
			return attempt{}, err
		}
	}
	offered := slices.ContainsFunc(kinds, func(kind string) bool { return slices.Contains(a.methods, kind) })
	if !found || !slices.Contains(purposes, a.purpose) || !offered {
		return attempt{}, errChallengeExpired()
	}
	return a, nil
}
