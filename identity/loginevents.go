package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// refusal is why a login is refused, for those who may read the tenant's audit log. The client is told one thing for all
// of them but the last two, which only come after the right password.
type refusal string

const (
	unknownUser      refusal = "unknown_user"
	unknownDomain    refusal = "unknown_domain" // on the shared host, of an address that no tenant has proved the domain of
	noPassword       refusal = "no_password"
	wrongPassword    refusal = "wrong_password"
	suspendedUser    refusal = "suspended"
	foreignUser      refusal = "not_local"
	accountChanged   refusal = "account_changed" // while the login was under way
	emailNotVerified refusal = "email_not_verified"
	policyDenied     refusal = "policy_denied" // the tenant's rules deny it
)

// refusal is asked after all the work is done, whatever the reason.
func (a account) refusal(ok bool) refusal {
	switch {
	case a.User.ID.IsZero():
		return unknownUser
	case a.Hash == "":
		return noPassword
	case !ok:
		return wrongPassword
	case !a.User.Active:
		return suspendedUser
	case a.User.AuthProvider != ProviderLocal:
		return foreignUser
	case !a.User.EmailVerified:
		return emailNotVerified
	}
	return ""
}

// refuse records a login that failed, and is the answer to it. The entry is committed before the answer is given, and the
// same is done for every reason, so that they take the same time.
func (l *Logins) refuse(ctx context.Context, t tenancy.Tenant, u id.User, why refusal) error {
	e := failedLogin(u, why, l.Now())
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { audit.Queue(ctx, b, t, e) }); err != nil {
		return err
	}
	if why == emailNotVerified {
		return errEmailNotVerified()
	}
	return problem.InvalidCredentials()
}

// wrong is refuse for what counts as a wrong password: the entry is in the batch that counts it.
func (l *Logins) wrong(ctx context.Context, t tenancy.Tenant, y guessing.Try, u User, why refusal) error {
	e := failedLogin(u.ID, why, l.Now())
	if err := l.Throttle.Wrong(ctx, t, y, u.tried(), func(b *tenancy.Batch) { audit.Queue(ctx, b, t, e) }); err != nil {
		return err
	}
	return problem.InvalidCredentials()
}

// tried is what guessing knows of a user.
func (u User) tried() guessing.User {
	return guessing.User{ID: u.ID, Address: string(u.Email), MaySignIn: u.Active && u.AuthProvider == ProviderLocal}
}

func failedLogin(u id.User, why refusal, at time.Time) audit.Event {
	e := audit.Event{Action: "login.failed", Actor: audit.Actor{Type: audit.ByAnonymous}, At: at}.With("reason", why)
	if u.IsZero() {
		return e
	}
	return e.User(u)
}

// queueSucceeded records a login or a step-up, if it has become one: the session stands as this batch wrote it.
func queueSucceeded(ctx context.Context, b *tenancy.Batch, t tenancy.Tenant, s Session, p Proof, v policy.Verdict) {
	e := audit.Event{Action: "login.succeeded", Actor: audit.Actor{Type: audit.ByUser, ID: s.User.String()}, At: s.Created}
	if !p.Session.IsZero() {
		e.Action = "session.stepped_up"
	}
	e = described(e.User(s.User), p).With("acr", s.ACR).With("session", s.ID)
	const became = `exists (select from sessions where id = $9 and user_id = $10 and auth_time = $11)`
	audit.QueueIf(ctx, b, t, e, became, s.ID, s.User, s.AuthTime)
	if v.WouldDeny != nil {
		w := audit.Event{Action: "policy.would_have_denied", Actor: e.Actor, At: e.At}.User(s.User)
		audit.QueueIf(ctx, b, t, w.With("action", string(p.action())).With("rules", ruleIDs(v.WouldDeny)), became, s.ID, s.User, s.AuthTime)
	}
}

// described says of a login what rules can be rehearsed on later (see policyadmin).
func described(e audit.Event, p Proof) audit.Event {
	return e.With("amr", p.AMR).With("method", policy.MethodOf(p.AMR)).With("agent", policy.AgentFamily(p.Client.UserAgent)).
		With("device", deviceOf(p.User, p.Client.UserAgent))
}
