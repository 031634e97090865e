package policyadmin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
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

func (s *Store) create(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	key, _, err := rest.IdempotencyKey(r)
	if err != nil {
		return err
	}
	req, err := rest.Decode[newPolicyRequest](r)
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

// pageOf is what follows an id, in the order of ids, which is that in which they were made.
func pageOf(all []Policy, after id.Policy, most int) []Policy {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Policy) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	from, _ := slices.BinarySearchFunc(sorted, after, func(p Policy, x id.Policy) int { return strings.Compare(p.ID.String(), x.String()) })
	if from < len(sorted) && sorted[from].ID == after {
		from++
	}
	return sorted[from:min(len(sorted), from+most)]
}
