package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Caller is who makes a request: a signed-in user or an API key of the tenant, never both.
type Caller struct {
	Tenant  tenancy.Tenant
	User    *User
	Session *Session // of User
	Key     *APIKey
	From    Client

	credentialVersion int // of User
}

// Callers proves who makes a request.
type Callers struct {
	DB     *tenancy.DB
	Tokens *Tokens
	Now    func() time.Time
}

// Prove turns a credential into a Caller. The signature of a token says who came; whether they may still come is asked
// of the tenant's schema every time, so a suspended user, an ended session and a revoked key are refused at once. Any
// failure is 401.
func (c *Callers) Prove(ctx context.Context, t tenancy.Tenant, offered tenancy.Credential) (Caller, error) {
	switch {
	case offered.Bearer != "" && offered.APIKey != "":
		return Caller{}, problem.Invalid("Send an access token or an API key, not both.")
	case offered.Bearer != "":
		return c.bearer(ctx, t, offered.Bearer)
	case offered.APIKey != "":
		return c.apiKey(ctx, t, offered.APIKey)
	default:
		return Caller{}, problem.Unauthenticated()
	}
}

func (c *Callers) bearer(ctx context.Context, t tenancy.Tenant, token string) (Caller, error) {
	claims, err := c.Tokens.Check(ctx, t, token)
	if err != nil {
		return Caller{}, err
	}
	user, err := id.ParseUser(claims.Subject)
	if err != nil {
		return Caller{}, problem.BadCredential()
	}
	caller := Caller{Tenant: t}
	if err := c.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readSession(b, claims.Session, user, c.Now(), &caller) }); err != nil {
		return Caller{}, err
	}
	if caller.Session == nil {
		return Caller{}, problem.BadCredential()
	}
	return caller, nil
}

func (c *Callers) apiKey(ctx context.Context, t tenancy.Tenant, key string) (Caller, error) {
	caller := Caller{Tenant: t}
	if err := c.DB.InBatch(ctx, t, func(b *tenancy.Batch) { useAPIKey(b, hashSecret(key), c.Now(), &caller.Key) }); err != nil {
		return Caller{}, err
	}
	if caller.Key == nil {
		return Caller{}, problem.BadCredential()
	}
	return caller, nil
}

// may asks whether the caller may do an operation of a scope: a key may what it carries, a user what the tenant's rules
// permit, which by default is everything to an administrator. Errors: 403 forbidden, 403 policy_denied.
func (c Caller) may(ctx context.Context, j *Judge, operation string, s Scope) error {
	if c.OfApplication() {
		return problem.Forbidden()
	}
	if c.Key == nil {
		return j.mayCall(ctx, c, operation, s)
	}
	if !contains(c.Key.Scopes, []Scope{s}) {
		return problem.Forbidden()
	}
	return nil
}

// administers reports whether the caller is a user with every right.
func (c Caller) administers() bool { return c.User != nil && contains(c.User.Roles, []Role{RoleAdmin}) }

// mayTouch reports whether the caller may give these roles, or change somebody who has them: nobody reaches above
// themselves. A key that could make administrators could have every right by signing in as one, so it must hold every
// right already.
func (c Caller) mayTouch(roles []Role) bool {
	switch {
	case !contains(roles, []Role{RoleAdmin}):
		return true
	case c.Key != nil:
		return contains(c.Key.Scopes, scopesOf(c.Tenant.Master))
	}
	return c.administers() // and not one whom a rule lets administer some things
}

// admitted is the caller as tenancy knows one.
func (c Caller) admitted() tenancy.Admitted {
	return tenancy.Admitted{Tenant: c.Tenant, Caller: c.logAttr().String(), Actor: c.Actor()}
}

// Actor is the caller as the audit log names them.
func (c Caller) Actor() audit.Actor {
	switch {
	case c.Key == nil:
		return audit.Actor{Type: audit.ByUser, ID: c.User.ID.String()}
	case c.Key.ID.IsZero():
		return audit.Actor{Type: audit.ByOperator}
	default:
		return audit.Actor{Type: audit.ByAPIKey, ID: c.Key.ID.String()}
	}
}

// Operation names a creating call, to be repeated for this caller alone: the answer may hold a secret that is shown once,
// and another caller of the tenant who guesses the Idempotency-Key must not be shown it.
func (c Caller) Operation(name, key string, request any) tenancy.Operation {
	return tenancy.Operation{Name: name, By: c.admitted().Caller, Key: key, Request: request}
}

// freshLogin is how long after signing in a user may do what could take the account over.
const freshLogin = 10 * time.Minute

// OfApplication reports whether it is an application that calls, in a session that it was given for a user. Such a session
// says who somebody is; it does not administer, proves nothing more, and does nothing that could take the account over: the
// application could be in other hands than the user's.
func (c Caller) OfApplication() bool { return c.Session != nil && c.Session.Application != "" }

// Fresh refuses a user who signed in too long ago, or without the second factor they have, with 403
// reauthentication_required, and an application, to which nobody signed in. A key has no login to repeat.
func (c Caller) Fresh(now time.Time) error {
	if c.Session == nil {
		return nil
	}
	if c.OfApplication() || now.Sub(c.Session.AuthTime) > freshLogin || (len(c.User.Factors) > 0 && !contains(c.Session.AMR, []string{"mfa"})) {
		return problem.Reauthenticate()
	}
	return nil
}
