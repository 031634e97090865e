package policyadmin

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

type policyBody struct {
	ID          id.Policy  `json:"id"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Enabled     bool       `json:"enabled"`
	Priority    int        `json:"priority"`
	Mode        Mode       `json:"mode"`
	Rules       []ruleBody `json:"rules"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

func render(p Policy) policyBody {
	rules := make([]ruleBody, len(p.Rules))
	for i, r := range p.Rules {
		rules[i] = renderRule(r)
	}
	return policyBody{p.ID, p.Name, p.Description, p.Enabled, p.Priority, p.Mode, rules, p.CreatedAt, p.UpdatedAt}
}

// policyRequest is a policy as it is to be. What an answer holds besides may be sent back with it and is not looked at.
type policyRequest struct {
	Name        strictjson.Optional[string]        `json:"name"`
	Description strictjson.Optional[string]        `json:"description"`
	Enabled     strictjson.Optional[bool]          `json:"enabled"`
	Priority    strictjson.Optional[int]           `json:"priority"`
	Mode        strictjson.Optional[string]        `json:"mode"`
	Rules       strictjson.Optional[[]ruleRequest] `json:"rules"`
	Set         *string                            `json:"cedar_policy_set"`
	ID          *string                            `json:"id"`
	CreatedAt   *string                            `json:"created_at"`
	UpdatedAt   *string                            `json:"updated_at"`
}

const (
	maxDescription = 1000 // characters
	mostPriority   = 1_000_000
)

// newPolicyRequest is a policy that is made.
type newPolicyRequest struct{ policyRequest }

// Validate reports bad members, and what is missing.
func (q *newPolicyRequest) Validate() map[string]string {
	bad := q.policyRequest.Validate()
	if !q.Name.Set {
		bad["name"] = "is required"
	}
	return bad
}

// Validate reports bad members but those of rules.
func (q *policyRequest) Validate() map[string]string {
	bad := map[string]string{}
	if q.Name.Set {
		var err error
		if q.Name.Value, err = tenancy.ParseName(q.Name.Value); err != nil {
			bad["name"] = err.Error()
		}
	}
	for name, null := range map[string]bool{"enabled": q.Enabled.Null, "priority": q.Priority.Null, "rules": q.Rules.Null} {
		if null {
			bad[name] = "must not be null"
		}
	}
	hidden := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	if d := q.Description.Value; utf8.RuneCountInString(d) > maxDescription || hasRune(d, hidden) {
		bad["description"] = "must be at most " + strconv.Itoa(maxDescription) + " characters, without control characters"
	}
	if p := q.Priority.Value; p < -mostPriority || p > mostPriority {
		bad["priority"] = fmt.Sprintf("must be from %d to %d", -mostPriority, mostPriority)
	}
	if m := Mode(q.Mode.Or(string(Enforce))); m != Enforce && m != Shadow {
		bad["mode"] = "must be enforce or shadow"
	}
	if q.Set != nil && q.Rules.Set {
		bad["cedar_policy_set"] = "must not be given together with rules"
	}
	return bad
}

func hasRune(s string, f func(rune) bool) bool {
	for _, r := range s {
		if f(r) {
			return true
		}
	}
	return false
}

// over lays what was sent over a policy. What is not said stays; rules that are said replace all there are.
func (q *policyRequest) over(p *Policy, now time.Time) error {
	p.Name, p.Description = q.Name.Or(p.Name), q.Description.Or(p.Description)
	p.Enabled, p.Priority, p.Mode = q.Enabled.Or(p.Enabled), q.Priority.Or(p.Priority), Mode(q.Mode.Or(string(p.Mode)))
	switch {
	case q.Set != nil:
		rules, err := policy.ParseRules(*q.Set)
		if err != nil {
			return faulty("cedar_policy_set", err)
		}
		p.Rules = nil
		for i, r := range rules {
			p.Rules = append(p.Rules, Rule{id.NewRule(), i + 1, now, r})
		}
	case q.Rules.Set:
		return q.replaceRules(p, now)
	}
	return nil
}

// replaceRules has the rules be those that were sent. One that is sent with the id of a rule there is remains that rule.
func (q *policyRequest) replaceRules(p *Policy, now time.Time) error {
	before := p.Rules
	p.Rules = nil
	for i, sent := range q.Rules.Value {
		path := "rules[" + strconv.Itoa(i) + "]."
		if bad := sent.Validate(); len(bad) > 0 {
			fields := map[string]string{}
			for name, why := range bad {
				fields[path+name] = why
			}
			return problem.Fields(fields)
		}
		var was *Rule
		for j := range before {
			if sent.ID != nil && *sent.ID == before[j].ID.String() {
				was = &before[j]
			}
		}
		r, err := sent.rule(was, path)
		if err != nil {
			return err
		}
		r.Ordinal = sent.Ordinal.Or(i + 1)
		if was == nil {
			r.ID, r.CreatedAt = id.NewRule(), now
		}
		p.Rules = append(p.Rules, r)
	}
	return nil
}

// faulty is the answer to a text that is no rule: what is wrong with it, and where.
func faulty(field string, err error) error {
	faults, ok := errors.AsType[policy.Faults](err)
	if !ok {
		return err
	}
	return problem.Field(field, faults.Error()).Detail("errors", []policy.Fault(faults))
}
