package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// notices are what a verdict has to say to the user, in their language or else the tenant's.
func (j *Judge) notices(ctx context.Context, t tenancy.Tenant, u id.User, v policy.Verdict) ([]string, error) {
	if !v.Speaks() {
		return nil, nil
	}
	set, err := j.Settings.Of(ctx, t)
	if err != nil {
		return nil, err
	}
	var theirs Preferences
	if err := j.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readPreferences(b, u, &theirs) }); err != nil {
		return nil, err
	}
	var locales []string
	for _, locale := range []*string{theirs.Locale, set.Locale} {
		if locale != nil {
			locales = append(locales, *locale)
		}
	}
	return v.Notices(append(locales, t.Locale)...), nil
}

// deny records a denial and is the answer to it.
func (j *Judge) deny(ctx context.Context, t tenancy.Tenant, u id.User, v policy.Verdict, record func(*tenancy.Batch)) error {
	if err := j.DB.InBatch(ctx, t, record); err != nil {
		return err
	}
	notices, err := j.notices(ctx, t, u, v)
	if err != nil {
		return err
	}
	return problem.PolicyDenied(notices...)
}

// withRules says in an entry which rules decided, and which could not be evaluated and why.
func withRules(e audit.Event, v policy.Verdict) audit.Event {
	e = e.With("rules", ruleIDs(v.Determining))
	for _, f := range v.Failed {
		e = e.With("failed_rule", f.Rule.ID.String()).With("failure", f.Reason)
	}
	return e
}

func ruleIDs(rules []policy.Named) []string {
	ids := make([]string, len(rules))
	for i, r := range rules {
		ids[i] = r.ID.String()
	}
	return ids
}
