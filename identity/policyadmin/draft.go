package policyadmin

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Draft is what a tenant's policies might be changed to.
type Draft struct {
	Policy *id.Policy    // one there is, taken as enabled and enforced; nil: a policy more
	Rules  []policy.Rule // of the policy, in place of those it has; nil: those it has
}

// over is the set of a tenant's rules with the draft among them. A rule of the draft has the zero id. Errors: 404 not_found.
func (d Draft) over(all []Policy) (*policy.Set, error) {
	var drafted []Rule
	for i, r := range d.Rules {
		drafted = append(drafted, Rule{Ordinal: i + 1, Rule: r})
	}
	if d.Policy == nil {
		return compile(append(slices.Clone(all), Policy{Enabled: true, Mode: Enforce, Rules: drafted})), nil
	}
	next, found := slices.Clone(all), false
	for i := range next {
		if next[i].ID != *d.Policy {
			continue
		}
		found = true
		next[i].Enabled, next[i].Mode = true, Enforce
		if d.Rules != nil {
			next[i].Rules = drafted
		}
	}
	if !found {
		return nil, problem.NotFound()
	}
	return compile(next), nil
}
