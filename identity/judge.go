package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Policies are the rules of tenants. identity/policyadmin keeps them.
type Policies interface {
	// Of is a tenant's rules from memory.
	Of(ctx context.Context, t tenancy.Tenant) (*policy.Set, error)
}

// Judge asks a tenant's rules about what people do.
type Judge struct {
	DB       *tenancy.DB
	Policies Policies
	Settings *settings.Store
	Now      func() time.Time
}

// matter is a question with the rules it is put to, so that it can be put again with more proved.
type matter struct {
	tenant tenancy.Tenant
	set    *policy.Set
	policy.Question
}

// question is what a user of the tenant wants to do, having proved amr.
func (j *Judge) question(t tenancy.Tenant, a policy.Action, u User, amr []string, c Client) policy.Question {
	return policy.Question{Tenant: t.ID, Slug: string(t.Slug), Action: a, Subject: u.subject(), Context: policy.Context{
		IP: c.IP, Now: j.Now(), Method: policy.MethodOf(amr), AMR: amr, UserAgent: c.UserAgent,
	}}
}

func (u User) subject() policy.Subject {
	roles := make([]string, len(u.Roles))
	for i, r := range u.Roles {
		roles[i] = string(r)
	}
	return policy.Subject{ID: u.ID, Email: string(u.Email), EmailVerified: u.EmailVerified, Owner: u.Owner, Roles: roles, Factors: u.Factors, Created: u.CreatedAt}
}

// open reads what the question needs besides: the rules, and how the user stands where a rule asks for it.
func (j *Judge) open(ctx context.Context, t tenancy.Tenant, q policy.Question) (matter, error) {
	set, err := j.Policies.Of(ctx, t)
	if err != nil {
		return matter{}, err
	}
	if set.Asks() {
		device := deviceOf(q.Subject.ID, q.Context.UserAgent)
		err = j.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readStanding(b, q.Subject.ID, device, q.Context.Now, &q.Context.Standing) })
	}
	return matter{t, set, q}, err
}

// decide puts the question to the rules.
func (m matter) decide() policy.Verdict { return m.set.Decide(m.Question) }

// permitsEnrolling reports whether the user may set up a factor of a kind, as things are.
func (m matter) permitsEnrolling(method string) bool { return m.set.MayEnrol(m.Question, method) }

// deviceOf is how the audit log recognises a user's browser: by too few bits to tell what browser it is, and by others for
// each user.
func deviceOf(u id.User, userAgent string) string {
	h := sha256.Sum256([]byte("gatehouse/device/1\x00" + u.String() + "\x00" + userAgent))
	return hex.EncodeToString(h[:4])
}

// may asks whether a user may do what the question says, and records that they may not. Errors: 403 policy_denied.
func (j *Judge) may(ctx context.Context, t tenancy.Tenant, q policy.Question) error {
	m, err := j.open(ctx, t, q)
	if err != nil {
		return err
	}
	v := m.decide()
	if v.Permitted {
		return nil
	}
	e := audit.Event{Action: "policy.denied", Actor: audit.Actor{Type: audit.ByUser, ID: q.Subject.ID.String()}, At: q.Context.Now}.
		User(q.Subject.ID).With("action", string(q.Action))
	return j.deny(ctx, t, q.Subject.ID, v, func(b *tenancy.Batch) { queueDenied(ctx, b, t, withRules(e, v), `"action":"`+string(q.Action)+`"`) })
}

// MayEnroll asks whether a signed-in user may set up a factor of a kind. Errors: 403 policy_denied.
func (j *Judge) MayEnroll(ctx context.Context, by Caller, method string) error {
	q := j.question(by.Tenant, policy.EnrollFactor, *by.User, by.Session.AMR, by.From)
	q.Context.Factor = method
	return j.may(ctx, by.Tenant, q)
}

// StepUps are those of a user's methods, of which there are some, by which the rules let their session be raised. Errors: 403
// policy_denied where there are none.
func (j *Judge) StepUps(ctx context.Context, by Caller, methods []string) ([]string, error) {
	m, err := j.open(ctx, by.Tenant, j.question(by.Tenant, policy.StepUp, *by.User, by.Session.AMR, by.From))
	if err != nil {
		return nil, err
	}
	if useful := m.set.Helping(m.Question, methods); len(useful) > 0 {
		return useful, nil
	}
	return nil, j.may(ctx, by.Tenant, m.StepUp(methods[0]))
}

// mayCall asks whether a signed-in user may do an administrator's operation. Errors: 403 forbidden where no rule permits
// it, 403 policy_denied where one forbids it.
func (j *Judge) mayCall(ctx context.Context, by Caller, operation string, s Scope) error {
	m, err := j.open(ctx, by.Tenant, j.call(by, operation, s))
	if err != nil {
		return err
	}
	v := m.decide()
	switch {
	case v.Permitted:
		return nil
	case len(v.Determining)+len(v.Failed) == 0:
		return problem.Forbidden()
	}
	e := audit.Event{Action: "policy.denied", Actor: by.Actor(), At: j.Now()}.User(by.User.ID).With("action", string(policy.CallAPI)).With("operation", operation)
	said := `"action":"` + string(policy.CallAPI) + `","operation":"` + operation + `"`
	return j.deny(ctx, by.Tenant, by.User.ID, v, func(b *tenancy.Batch) { queueDenied(ctx, b, by.Tenant, withRules(e, v), said) })
}

func (j *Judge) call(by Caller, operation string, s Scope) policy.Question {
	q := j.question(by.Tenant, policy.CallAPI, *by.User, by.Session.AMR, by.From)
	q.Context.Operation, q.Context.Scope = operation, string(s)
	return q
}
