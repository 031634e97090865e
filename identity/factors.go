package identity

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Factors decides what a login owes after the proofs it has. mfa satisfies it.
type Factors interface {
	// Owed is what the user still has to prove, or nil. A debt is recorded before it is told, bound to the proof. enrol tells
	// whether the user may set up a kind of factor.
	Owed(ctx context.Context, t tenancy.Tenant, u User, p Proof, enrol func(method string) bool) (*Debt, error)
	// Raised is a debt, as of Owed, of what lifts the rules' denial.
	Raised(ctx context.Context, t tenancy.Tenant, p Proof, by policy.Lift) (*Debt, error)
	// Enough reports whether a session with this proof may go on: whether the tenant, as it decides now, demands no more of
	// the user. Nothing is recorded.
	Enough(ctx context.Context, t tenancy.Tenant, u User, p Proof) (bool, error)
	// InGrace reports whether the user has to set up a factor and is still in the days of grace.
	InGrace(ctx context.Context, t tenancy.Tenant, u User) (bool, error)
}

// Debt is a second factor to be proved or, where the user has none, to be enrolled.
type Debt struct {
	Challenge string   // the id under which it is paid, a secret
	Methods   []string // what may be used
	Enrolment bool
}

// Proof is what a login has proved so far. It is kept with a challenge while the rest is proved.
type Proof struct {
	User              id.User
	AMR               []string // RFC 8176
	AuthTime          time.Time
	CredentialVersion int        // of the account when the first factor was proved
	Session           id.Session // of a step-up: the session whose assurance is raised
	Client            Client
}

// Complete reports whether the proof holds two factors.
func (p Proof) Complete() bool { return slices.Contains(p.AMR, "mfa") }

// acr is the authenticator assurance level of the proof (NIST SP 800-63B-4).
func (p Proof) acr() string {
	if p.Complete() {
		return "aal2"
	}
	return "aal1"
}

// With is the proof with one more factor proved.
func (p Proof) With(amr ...string) Proof {
	p.AMR = append(slices.Clone(p.AMR), amr...)
	return p
}

// Proof is what the caller's session has proved, for a step-up to add to.
func (c Caller) Proof() Proof {
	return Proof{User: c.User.ID, AMR: c.Session.AMR, AuthTime: c.Session.AuthTime, CredentialVersion: c.credentialVersion, Session: c.Session.ID, Client: c.From}
}
