package identity

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Outcome is a login that went as far as it can: a Grant or a Debt, never both.
type Outcome struct {
	Grant *Grant
	Debt  *Debt
}

// Grant is a completed login.
type Grant struct {
	Tenant         tenancy.Tenant
	User           id.User
	AccessToken    string
	Expires        time.Time
	RefreshToken   string
	RefreshExpires time.Time
	SetupRequired  bool     // the user has to set up a second factor, and is in the days of grace
	Notices        []string // what the rules that permitted it have to say
}

// complete is the one way to a token: every login ends here, whatever it was proved by.
func (l *Logins) complete(ctx context.Context, t tenancy.Tenant, h Holder, p Proof) (Outcome, error) {
	a := *h.account
	if err := l.serving(ctx, t); err != nil {
		return Outcome{}, err
	}
	m, err := l.Judge.open(ctx, t, l.Judge.question(t, p.action(), a.User, p.AMR, p.Client))
	if err != nil {
		return Outcome{}, err
	}
	v := m.decide()
	if !v.Permitted {
		return l.denied(ctx, t, a.User, p, m, v)
	}
	if !p.Complete() {
		debt, err := l.Factors.Owed(ctx, t, a.User, p, m.permitsEnrolling)
		if err != nil || debt != nil {
			return Outcome{Debt: debt}, err
		}
	}
	set, err := l.Settings.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	s := newSession(p, l.Now(), set.Tokens)
	if h.ends != nil {
		s.ID, s.Expires = p.Session, *h.ends
	}
	o, err := l.issue(ctx, t, a.User, s, set.Tokens, func(ctx context.Context, s *Session) error {
		return l.keep(ctx, t, s, a, p, set.Sessions.MaxPerUser, v)
	})
	if err == nil {
		o.Grant.Notices, err = l.Judge.notices(ctx, t, a.User.ID, v)
	}
	return o, err
}

// action is what a proof is brought for.
func (p Proof) action() policy.Action {
	if p.Session.IsZero() {
		return policy.Login
	}
	return policy.StepUp
}

// denied is what comes of a login that the rules deny: where they would permit it with a second factor that the user has or
// can set up, that is owed, and else the answer is no. What was proved then is put to the rules again, so that asking
// for it opens nothing by itself.
func (l *Logins) denied(ctx context.Context, t tenancy.Tenant, u User, p Proof, m matter, v policy.Verdict) (Outcome, error) {
	set, err := l.Settings.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	if lift := m.set.Lift(m.Question, set.MFA.Enrollable()); len(lift.Methods) > 0 {
		debt, err := l.Factors.Raised(ctx, t, p, lift)
		return Outcome{Debt: debt}, err
	}
	e := withRules(described(failedLogin(u.ID, policyDenied, l.Now()), p), v)
	return Outcome{}, l.Judge.deny(ctx, t, u.ID, v, func(b *tenancy.Batch) { audit.Queue(ctx, b, t, e) })
}

// serving refuses a tenant that was suspended or deleted since it was looked up, which may be before a password was hashed.
func (l *Logins) serving(ctx context.Context, t tenancy.Tenant) error {
	standing, err := l.Directory.ByID(ctx, t.ID)
	switch {
	case errors.Is(err, tenancy.ErrUnknown):
		return problem.NotFound()
	case err == nil && standing.State == tenancy.Suspended:
		return problem.TenantSuspended()
	}
	return err
}

// issue is where logins and refreshes meet, and the only place that asks for an access token. It is signed first, then the
// session it is of is kept, and nothing is told unless it was: an outage of custody leaves what the client came with as it
// was, and an account that changed meanwhile gets no token.
func (l *Logins) issue(ctx context.Context, t tenancy.Tenant, u User, s Session, set settings.Tokens, keep func(context.Context, *Session) error) (Outcome, error) {
	key, err := l.refreshKeys.Of(ctx, t)
	if err != nil {
		return Outcome{}, err
	}
	grace, err := l.Factors.InGrace(ctx, t, u)
	if err != nil {
		return Outcome{}, err
	}
	token, expires, err := l.Tokens.mint(ctx, t, u, s, set, l.Now())
	if err != nil {
		return Outcome{}, err
	}
	if err := keep(ctx, &s); err != nil {
		return Outcome{}, err
	}
	return Outcome{Grant: &Grant{t, u.ID, token, expires, s.refreshToken(key, t), s.RefreshExpires, grace, nil}}, nil
}

// keep writes the session of a login, or raises the one of a step-up. Errors: 401 invalid_credentials where the account was
// suspended, deleted or given another password or factor, or the session ended, between the first proof and now.
func (l *Logins) keep(ctx context.Context, t tenancy.Tenant, s *Session, a account, p Proof, most int, v policy.Verdict) error {
	kept := false
	err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) {
		if p.Session.IsZero() {
			writeSession(b, *s, a, p, most, &kept)
		} else {
			raiseSession(b, s, p, &kept)
		}
		queueSucceeded(ctx, b, t, *s, p, v)
	})
	if err == nil && !kept {
		err = l.refuse(ctx, t, p.User, accountChanged)
	}
	return err
}
