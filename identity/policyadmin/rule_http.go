package policyadmin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
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

// ruleRequest is a rule as it is to be: as text, or in parts.
type ruleRequest struct {
	Ordinal       strictjson.Optional[int] `json:"ordinal"`
	Text          *string                  `json:"policy_text"`
	Effect        *string                  `json:"effect"`
	PrincipalType *string                  `json:"principal_scope_type"`
	Principal     *string                  `json:"principal_entity_type"`
	PrincipalID   *string                  `json:"principal_entity_id"`
	ActionType    *string                  `json:"action_scope_type"`
	Actions       []string                 `json:"action_ids"`
	ResourceType  *string                  `json:"resource_scope_type"`
	Resource      *string                  `json:"resource_entity_type"`
	ResourceID    *string                  `json:"resource_entity_id"`
	Conditions    *string                  `json:"conditions"`
	Notice        *string                  `json:"notice"`
	ID            *string                  `json:"id"`         // of an answer that is sent back
	CreatedAt     *string                  `json:"created_at"` // likewise
}

// Validate reports bad members but those that only Cedar can judge.
func (q *ruleRequest) Validate() map[string]string {
	bad := map[string]string{}
	if n := q.Ordinal.Or(1); n < 1 || n > 1_000_000 {
		bad["ordinal"] = "must be from 1 to 1000000"
	}
	if q.Text == nil && (q.Effect == nil || *q.Effect != permit && *q.Effect != forbid) {
		bad["effect"] = "must be permit or forbid, or policy_text must be given"
	}
	return bad
}

// rule is what was sent, of the rule that was. Of a new rule the text wins over the parts. Of one that there is it does so
// if it has changed: who sends back what they were given with another notice means the notice.
func (q *ruleRequest) rule(was *Rule, path string) (Rule, error) {
	next := Rule{}
	if was != nil {
		next = *was
	}
	var err error
	switch {
	case q.Text != nil && (was == nil || *q.Text != was.Text()):
		next.Rule, err = policy.ParseRule(*q.Text)
		if err == nil && q.Notice != nil && *q.Notice != "" && next.Parts().Notice == "" && was == nil {
			return next, q.withNotice(&next, path)
		}
		return next, wrong(path+"policy_text", err)
	case q.Effect == nil: // the text as it was, and nothing else
		return next, nil
	case was == nil:
		next.Rule, err = q.parts().Rule()
	default:
		if samePartsAs(q.parts(), was.Parts()) {
			return next, nil // as it was written, comments and all
		}
		next.Rule, err = q.parts().Over(was.Rule)
	}
	return next, wrong(path+"conditions", err)
}

// withNotice puts a notice that was sent beside a text into it, where the text has none.
func (q *ruleRequest) withNotice(r *Rule, path string) (err error) {
	parts := r.Parts()
	parts.Notice = *q.Notice
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

func (q *ruleRequest) parts() policy.Parts {
	said := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	p := policy.Parts{Permit: said(q.Effect) == permit, ActionType: kind(q.ActionType), Conditions: said(q.Conditions), Notice: said(q.Notice),
		Principal: policy.Scope{Type: kind(q.PrincipalType), EntityType: said(q.Principal), EntityID: said(q.PrincipalID)},
		Resource:  policy.Scope{Type: kind(q.ResourceType), EntityType: said(q.Resource), EntityID: said(q.ResourceID)}}
	for _, a := range q.Actions {
		p.Actions = append(p.Actions, policy.Action(strings.TrimSuffix(strings.TrimPrefix(a, `Action::"`), `"`)))
	}
	if p.ActionType == policy.Any && len(p.Actions) > 0 && q.ActionType == nil {
		p.ActionType = policy.In
	}
	return p
}

func kind(s *string) policy.ScopeType {
	if s == nil || *s == "" {
		return policy.Any
	}
	return policy.ScopeType(*s)
}

// pageOf is what follows an id, in the order of ids, which is that in which they were made.
func pageOf(all []Policy, after id.Policy, most int) []Policy {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Policy) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	from, _ := slices.BinarySearchFunc(sorted, after, func(p Policy, x id.Policy) int { return strings.Compare(p.ID.String(), x.String()) })
	if from < len(sorted) && sorted[from].ID == after {
		from++
	}
	return sorted[from:min(len(sorted), from+most)]
}

func (s *Store) listRules(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParseRule)
	if err != nil {
		return err
	}
	p, err := s.find(r, by)
	if err != nil {
		return err
	}
	from := 1 + slices.IndexFunc(p.Rules, func(x Rule) bool { return x.ID == after }) // from the first, should that be gone
	bodies := []ruleBody{}
	for _, x := range p.Rules[from:min(len(p.Rules), from+page.Fetch())] {
		bodies = append(bodies, renderRule(x))
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(x ruleBody) string { return x.ID.String() }))
}

func (s *Store) createRule(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[ruleRequest](r)
	if err != nil {
		return err
	}
	p, err := s.find(r, by)
	if err != nil {
		return err
	}
	rule, err := req.rule(nil, "")
	if err != nil {
		return err
	}
	last := 0
	if n := len(p.Rules); n > 0 {
		last = p.Rules[n-1].Ordinal
	}
	rule.ID, rule.CreatedAt, rule.Ordinal = id.NewRule(), s.moment(), req.Ordinal.Or(last+1)
	op := by.Operation("POST /v1/policies/"+p.ID.String()+"/rules", key, req)
	body, err := s.AddRule(r.Context(), by, op, p.ID, rule, func() any { return renderRule(rule) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}

// AddRule answers the making of a rule. Errors: as Store.Change.
func (s *Store) AddRule(ctx context.Context, by identity.Caller, op tenancy.Operation, p id.Policy, rule Rule, render func() any) (json.RawMessage, error) {
	defer s.Directory.Forget(by.Tenant.ID)
	var now Policy
	return s.Repeat.Create(ctx, by.Tenant, op, func(context.Context) (any, func(context.Context, tenancy.Tx) error, error) {
		return render(), func(ctx context.Context, tx tenancy.Tx) error {
			return s.apply(ctx, tx, by, s.changing(p, func(p *Policy) error { p.Rules = append(p.Rules, rule); return nil }, &now))
		}, nil
	})
}

// at is where in a policy the rule is that a request is about, or -1.
func at(p *Policy, r *http.Request) int {
	want, err := id.ParseRule(mux.Vars(r)["rule_id"])
	if err != nil {
		return -1
	}
	return slices.IndexFunc(p.Rules, func(x Rule) bool { return x.ID == want })
}

func (s *Store) showRule(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := s.find(r, by)
	if err != nil {
		return err
	}
	i := at(&p, r)
	if i < 0 {
		return problem.NotFound()
	}
	return rest.Respond(w, http.StatusOK, renderRule(p.Rules[i]))
}

func (s *Store) replaceRule(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := named(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[ruleRequest](r)
	if err != nil {
		return err
	}
	var now Rule
	_, err = s.Change(r.Context(), by, p, func(p *Policy) error {
		i := at(p, r)
		if i < 0 {
			return problem.NotFound()
		}
		if now, err = req.rule(&p.Rules[i], ""); err != nil {
			return err
		}
		now.Ordinal = req.Ordinal.Or(now.Ordinal)
		p.Rules[i] = now
		return nil
	})
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, renderRule(now))
}

func (s *Store) removeRule(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := named(r)
	if err != nil {
		return err
	}
	_, err = s.Change(r.Context(), by, p, func(p *Policy) error {
		i := at(p, r)
		if i < 0 {
			return problem.NotFound()
		}
		p.Rules = slices.Delete(p.Rules, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	return rest.NoContent(w)
}
