// Package mfa answers the third question about a request: what else must they prove?
//
// identity asks [Factors.Owed] after a first factor. What is owed is recorded as a challenge, and the client is told its
// id, which is a secret. With it the client brings a proof to [Desk]; the proof is spent, and only then identity is
// asked to go on with the login it had begun (see [Finisher]).
//
//	identity.complete --Owed--> challenge --id--> client --code, assertion--> Desk --Proof--> identity.Finish --> token
//
// A challenge proves factors and gives no other right. It lives for five minutes, takes five tries, and belongs to one
// tenant (by the schema it is in), one user and one purpose.
//
// Traps known here. A wrong answer is counted before it is looked at, in one statement, so that a hundred answers at once
// are still five tries; the count belongs to the account and outlives the challenge. What is accepted once (a time step, a
// backup code, a signature counter, the challenge itself) is spent in the statement that accepts it, and before the token
// is signed. Custody is asked before anything is spent, so that an outage costs the user nothing.
package mfa

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Kinds of second factor.
const (
	TOTP     = "totp"
	Passkey  = "webauthn_passkey" //nolint:gosec // no password; on the device that signs in or synchronised to it, verifies its user
	Security = "webauthn_fido"    // a roaming key
)

// Finisher goes on with a login once a proof is brought back, of an account that was read as the proof was spent or, where
// it is the zero Holder, is still to be read. identity.Logins satisfies it.
type Finisher interface {
	Finish(ctx context.Context, t tenancy.Tenant, p identity.Proof, h identity.Holder) (identity.Outcome, error)
}

// Factors knows users' second factors and what logins owe. It satisfies identity.Factors.
type Factors struct {
	Options
	ceremonyKeys *tenancy.PerTenant[[]byte]
}

// Options configures New.
type Options struct {
	DB       *tenancy.DB
	Settings *settings.Store
	Judge    *identity.Judge
	Keys     custody.Custodian
	Sealing  tenancy.SealingKeys
	Address  tenancy.Address
	Hosts    *tenancy.PerTenant[[]tenancy.Host] // proved by the tenant
	Now      func() time.Time
	Log      *slog.Logger
}

// New makes a Factors.
func New(o Options) *Factors {
	f := &Factors{Options: o}
	f.ceremonyKeys = tenancy.NewPerTenant(f.ceremonyKey)
	return f
}

var _ identity.Factors = (*Factors)(nil)

// Owed is what a login with this proof still owes. Whoever has a factor is asked for it; whoever has none and has to
// have one enrols it now, of a kind that the tenant's rules let them. Errors: 403 policy_denied where that is none.
func (f *Factors) Owed(ctx context.Context, t tenancy.Tenant, u identity.User, p identity.Proof, enrol func(method string) bool) (*identity.Debt, error) {
	set, err := f.Settings.Of(ctx, t)
	if err != nil || set.MFA.Demand == settings.Off {
		return nil, err
	}
	if len(u.Factors) > 0 {
		return f.owe(ctx, t, challenge{purpose: purposeLogin, methods: ordered(u.Factors), proof: p})
	}
	if demanded, grace := set.MFA.Demands(roleNames(u), u.CreatedAt, f.Now()); demanded && !grace {
		methods := slices.DeleteFunc(ordered(set.MFA.Methods), func(m string) bool { return !enrol(m) })
		if len(methods) == 0 {
			return nil, problem.PolicyDenied()
		}
		return f.owe(ctx, t, challenge{purpose: purposeEnroll, methods: methods, proof: p})
	}
	return nil, nil
}

// Raised is a debt of what lifts the rules' denial.
func (f *Factors) Raised(ctx context.Context, t tenancy.Tenant, p identity.Proof, by policy.Lift) (*identity.Debt, error) {
	c := challenge{purpose: purposeLogin, methods: ordered(by.Methods), proof: p}
	if by.Enrol {
		c.purpose = purposeEnroll
	}
	return f.owe(ctx, t, c)
}

// Enough reports whether a session with this proof may go on. A session that was begun with a password goes on after its
// user has set up a factor in it, but not where the tenant demands that one be proved.
func (f *Factors) Enough(ctx context.Context, t tenancy.Tenant, u identity.User, p identity.Proof) (bool, error) {
	if p.Complete() {
		return true, nil
	}
	set, err := f.Settings.Of(ctx, t)
	if err != nil {
		return false, err
	}
	demanded, grace := set.MFA.Demands(roleNames(u), u.CreatedAt, f.Now())
	return !demanded || grace, nil
}

// InGrace reports whether the user has to set up a factor and is still in the days of grace.
func (f *Factors) InGrace(ctx context.Context, t tenancy.Tenant, u identity.User) (bool, error) {
	set, err := f.Settings.Of(ctx, t)
	if err != nil || len(u.Factors) > 0 {
		return false, err
	}
	_, grace := set.MFA.Demands(roleNames(u), u.CreatedAt, f.Now())
	return grace, nil
}

// mayEnroll refuses a method that the tenant does not let its users enrol, and that its rules do not let this one.
func (f *Factors) mayEnroll(ctx context.Context, by identity.Caller, method string) error {
	if err := f.enrollable(ctx, by.Tenant, method); err != nil {
		return err
	}
	return f.Judge.MayEnroll(ctx, by, method)
}

// enrollable refuses a method that the tenant does not let its users enrol.
func (f *Factors) enrollable(ctx context.Context, t tenancy.Tenant, method string) error {
	set, err := f.Settings.Of(ctx, t)
	if err != nil {
		return err
	}
	if !set.MFA.Offers(method) {
		return problem.New(problem.KindForbidden, "method_not_offered", "This tenant does not offer this method.")
	}
	return nil
}

func roleNames(u identity.User) []string {
	names := make([]string, len(u.Roles))
	for i, r := range u.Roles {
		names[i] = string(r)
	}
	return names
}

// ordered puts methods into the order in which they are offered.
func ordered(methods []string) []string {
	all := []string{}
	for _, m := range settings.Methods {
		if slices.Contains(methods, m) {
			all = append(all, m)
		}
	}
	return all
}
