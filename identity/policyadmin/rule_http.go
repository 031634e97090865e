package policyadmin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

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
