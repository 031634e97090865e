package policyadmin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

type ruleBody struct {
	ID      id.Rule `json:"id"`
	Ordinal int     `json:"ordinal"`
	Text    string  `json:"policy_text"`
	partsBody
	CreatedAt time.Time `json:"created_at"`
}

// partsBody is a rule taken apart. null is what does not apply.
type partsBody struct {
	Effect        string           `json:"effect"`
	PrincipalType policy.ScopeType `json:"principal_scope_type"`
	Principal     *string          `json:"principal_entity_type"`
	PrincipalID   *string          `json:"principal_entity_id"`
	ActionType    policy.ScopeType `json:"action_scope_type"`
	Actions       []policy.Action  `json:"action_ids"`
	ResourceType  policy.ScopeType `json:"resource_scope_type"`
	Resource      *string          `json:"resource_entity_type"`
	ResourceID    *string          `json:"resource_entity_id"`
	Conditions    *string          `json:"conditions"`
	Notice        *string          `json:"notice"`
}

const (
	permit = "permit"
	forbid = "forbid"
)

func renderRule(r Rule) ruleBody {
	return ruleBody{r.ID, r.Ordinal, r.Text(), renderParts(r.Parts()), r.CreatedAt}
}

func renderParts(p policy.Parts) partsBody {
	said := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	b := partsBody{effect(p.Permit), p.Principal.Type, said(p.Principal.EntityType), said(p.Principal.EntityID), p.ActionType, p.Actions,
		p.Resource.Type, said(p.Resource.EntityType), said(p.Resource.EntityID), said(p.Conditions), said(p.Notice)}
	if b.Actions == nil {
		b.Actions = []policy.Action{}
	}
	return b
}

func effect(permits bool) string {
	if permits {
		return permit
	}
	return forbid
}

// ruleRequest is a rule as it is to be: as text, or in parts. Of a rule there is what is not said stays.
type ruleRequest struct {
	Ordinal       strictjson.Optional[int]      `json:"ordinal"`
	Text          *string                       `json:"policy_text"`
	Effect        *string                       `json:"effect"`
	PrincipalType strictjson.Optional[string]   `json:"principal_scope_type"`
	Principal     strictjson.Optional[string]   `json:"principal_entity_type"`
	PrincipalID   strictjson.Optional[string]   `json:"principal_entity_id"`
	ActionType    strictjson.Optional[string]   `json:"action_scope_type"`
	Actions       strictjson.Optional[[]string] `json:"action_ids"`
	ResourceType  strictjson.Optional[string]   `json:"resource_scope_type"`
	Resource      strictjson.Optional[string]   `json:"resource_entity_type"`
	ResourceID    strictjson.Optional[string]   `json:"resource_entity_id"`
	Conditions    strictjson.Optional[string]   `json:"conditions"`
	Notice        strictjson.Optional[string]   `json:"notice"`
	ID            *string                       `json:"id"`         // of an answer that is sent back
	CreatedAt     *string                       `json:"created_at"` // likewise
}

const badEffect = "must be permit or forbid, or policy_text must be given"

// Validate reports bad members but those that only Cedar can judge.
func (q *ruleRequest) Validate() map[string]string {
	bad := map[string]string{}
	if n := q.Ordinal.Or(1); n < 1 || n > 1_000_000 {
		bad["ordinal"] = "must be from 1 to 1000000"
	}
	if q.Effect != nil && *q.Effect != permit && *q.Effect != forbid {
		bad["effect"] = badEffect
	}
	return bad
}

// rule is what was sent, of the rule that was. Of a new rule the text wins over the parts. Of one that there is it does so
// if it has changed: who sends back what they were given with another notice means the notice.
func (q *ruleRequest) rule(was *Rule, path string) (next Rule, err error) {
	if was == nil {
		return q.newRule(path)
	}
	next = *was
	if q.Text != nil && *q.Text != was.Text() {
		next.Rule, err = policy.ParseRule(*q.Text)
		return next, wrong(path+"policy_text", err)
	}
	before := was.Parts()
	after := q.over(before)
	if samePartsAs(before, after) {
		return next, nil // as it was written, comments and all
	}
	next.Rule, err = after.Over(was.Rule)
	return next, wrong(path+"conditions", err)
}

func (q *ruleRequest) newRule(path string) (next Rule, err error) {
	switch {
	case q.Text != nil:
		next.Rule, err = policy.ParseRule(*q.Text)
		if err == nil && q.Notice.Value != "" && next.Parts().Notice == "" {
			return next, q.withNotice(&next, path)
		}
		return next, wrong(path+"policy_text", err)
	case q.Effect == nil:
		return next, problem.Field(path+"effect", badEffect)
	}
	next.Rule, err = q.over(policy.Parts{ActionType: policy.Any}).Rule()
	return next, wrong(path+"conditions", err)
}

// withNotice puts a notice that was sent beside a text into it, where the text has none.
func (q *ruleRequest) withNotice(r *Rule, path string) (err error) {
	parts := r.Parts()
	parts.Notice = q.Notice.Value
	r.Rule, err = parts.Over(r.Rule)
	return wrong(path+"notice", err)
}

func wrong(field string, err error) error {
	if err == nil {
		return nil
	}
	return faulty(field, err)
}

func samePartsAs(a, b policy.Parts) bool {
	same := a.Permit == b.Permit && a.Principal == b.Principal && a.Resource == b.Resource && a.ActionType == b.ActionType
	return same && slices.Equal(a.Actions, b.Actions) && a.Conditions == b.Conditions && a.Notice == b.Notice
}

// over lays what was sent over the parts of a rule. null is what does not apply.
func (q *ruleRequest) over(p policy.Parts) policy.Parts {
	if q.Effect != nil {
		p.Permit = *q.Effect == permit
	}
	p.Principal = policy.Scope{Type: kind(q.PrincipalType, p.Principal.Type), EntityType: q.Principal.Or(p.Principal.EntityType), EntityID: q.PrincipalID.Or(p.Principal.EntityID)}
	p.Resource = policy.Scope{Type: kind(q.ResourceType, p.Resource.Type), EntityType: q.Resource.Or(p.Resource.EntityType), EntityID: q.ResourceID.Or(p.Resource.EntityID)}
	p.ActionType = kind(q.ActionType, p.ActionType)
	if q.Actions.Set {
		p.Actions = nil
		for _, a := range q.Actions.Value {
			p.Actions = append(p.Actions, policy.Action(strings.TrimSuffix(strings.TrimPrefix(a, `Action::"`), `"`)))
		}
		if !q.ActionType.Set && len(p.Actions) > 0 {
			p.ActionType = policy.In
		}
	}
	p.Conditions, p.Notice = q.Conditions.Or(p.Conditions), q.Notice.Or(p.Notice)
	return p
}

func kind(sent strictjson.Optional[string], was policy.ScopeType) policy.ScopeType {
	return cmp.Or(policy.ScopeType(sent.Or(string(was))), policy.Any)
}
