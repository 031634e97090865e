package policyadmin

import (
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const write identity.Scope = "policies:write"

// Mount adds the operations on policies.
func (s *Store) Mount(r *mux.Router, g *identity.Guard) {
	long := rest.Limits{Body: 2 * maxText} // a policy can hold all the rules there may be
	r.Handle("/v1/policies", rest.Methods{
		http.MethodGet:  g.Admin(write, s.list),
		http.MethodPost: long.Apply(g.Admin(write, s.create)),
	})
	r.Handle("/v1/policies/simulate", rest.Methods{
		http.MethodPost: rest.Limits{Body: 2 * maxText, Time: 2 * rehearsalTime}.Apply(g.Admin(write, s.simulate)),
	})
	r.Handle("/v1/policies/schema", rest.Methods{http.MethodGet: g.Admin(write, s.schema)})
	r.Handle("/v1/policies/{id}", rest.Methods{
		http.MethodGet:    g.Admin(write, s.show),
		http.MethodPut:    long.Apply(g.Admin(write, s.replace)),
		http.MethodDelete: g.Admin(write, s.remove),
	})
	r.Handle("/v1/policies/{id}/rules", rest.Methods{
		http.MethodGet:  g.Admin(write, s.listRules),
		http.MethodPost: g.Admin(write, s.createRule),
	})
	r.Handle("/v1/policies/{id}/rules/{rule_id}", rest.Methods{
		http.MethodGet:    g.Admin(write, s.showRule),
		http.MethodPut:    g.Admin(write, s.replaceRule),
		http.MethodDelete: g.Admin(write, s.removeRule),
	})
}

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
	Name        string                             `json:"name"`
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

const maxDescription = 1000

// Validate reports bad members but those of rules.
func (q *policyRequest) Validate() map[string]string {
	bad := map[string]string{}
	if name, err := tenancy.ParseName(q.Name); err != nil {
		bad["name"] = err.Error()
	} else {
		q.Name = name
	}
	hidden := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	if d := q.Description.Value; utf8.RuneCountInString(d) > maxDescription || hasRune(d, hidden) {
		bad["description"] = "must be at most " + strconv.Itoa(maxDescription) + " characters, without control characters"
	}
	if p := q.Priority.Value; p < -1000 || p > 1000 {
		bad["priority"] = "must be from -1000 to 1000"
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
	p.Name, p.Description = q.Name, q.Description.Or(p.Description)
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

func (s *Store) create(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[policyRequest](r)
	if err != nil {
		return err
	}
	now := s.moment()
	p := Policy{ID: id.NewPolicy(), Enabled: true, Mode: Enforce, CreatedAt: now, UpdatedAt: now}
	if err := req.over(&p, now); err != nil {
		return err
	}
	body, err := s.Create(r.Context(), by, by.Operation("POST /v1/policies", key, req), p, func(p Policy) any { return render(p) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusCreated, body)
}

func (s *Store) list(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	after, err := rest.After(page, id.ParsePolicy)
	if err != nil {
		return err
	}
	all, err := s.Read(r.Context(), by.Tenant)
	if err != nil {
		return err
	}
	bodies := []policyBody{}
	for _, p := range pageOf(all, after, page.Fetch()) {
		bodies = append(bodies, render(p))
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(p policyBody) string { return p.ID.String() }))
}

// named is the policy that a request is about.
func named(r *http.Request) (id.Policy, error) {
	p, err := id.ParsePolicy(mux.Vars(r)["id"])
	if err != nil {
		return p, problem.NotFound()
	}
	return p, nil
}

func (s *Store) find(r *http.Request, by identity.Caller) (Policy, error) {
	want, err := named(r)
	if err != nil {
		return Policy{}, err
	}
	all, err := s.Read(r.Context(), by.Tenant)
	if err != nil {
		return Policy{}, err
	}
	for _, p := range all {
		if p.ID == want {
			return p, nil
		}
	}
	return Policy{}, problem.NotFound()
}

func (s *Store) show(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := s.find(r, by)
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, render(p))
}

func (s *Store) replace(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := named(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[policyRequest](r)
	if err != nil {
		return err
	}
	now, err := s.Change(r.Context(), by, p, func(p *Policy) error { return req.over(p, s.moment()) })
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, render(now))
}

func (s *Store) remove(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	p, err := named(r)
	if err != nil {
		return err
	}
	if err := s.Delete(r.Context(), by, p); err != nil {
		return err
	}
	return rest.NoContent(w)
}

// schema is what rules can speak about, in both forms that Cedar has for it.
func (s *Store) schema(w http.ResponseWriter, _ *http.Request, _ identity.Caller) error {
	form, err := policy.SchemaJSON()
	if err != nil {
		return err
	}
	return rest.Respond(w, http.StatusOK, struct {
		Cedar string         `json:"cedar"`
		JSON  strictjson.Raw `json:"json"`
	}{policy.Schema, form})
}
