package policyadmin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

type ruleRef struct {
	Policy *id.Policy `json:"policy_id"` // null, as rule_id: of the draft
	Rule   *id.Rule   `json:"rule_id"`
	Effect string     `json:"effect"`
	Text   string     `json:"policy_text"`
}

func refs(rules []policy.Named) []ruleRef {
	all := make([]ruleRef, len(rules))
	for i, r := range rules {
		all[i] = ruleRef{nil, nil, effect(r.Rule.Permits()), r.Rule.Text()}
		if !r.Policy.IsZero() {
			all[i].Policy = &r.Policy
		}
		if !r.ID.IsZero() {
			all[i].Rule = &r.ID
		}
	}
	return all
}

type failureBody struct {
	ruleRef
	Reason string `json:"reason"`
}

type decisionBody struct {
	Outcome  policy.Outcome `json:"outcome"`
	Methods  []string       `json:"methods"`
	Rules    []ruleRef      `json:"rules"`
	Failures []failureBody  `json:"failures"`
	Notices  []string       `json:"notices"`
}

type affectedBody struct {
	User    id.User   `json:"user_id"`
	Email   *string   `json:"email"` // null: the caller may not read users
	Change  Change    `json:"change"`
	Logins  int       `json:"logins"`
	Last    time.Time `json:"last_at"`
	Methods []string  `json:"methods"`
	Notices []string  `json:"notices"`
	Rules   []ruleRef `json:"rules"`
}

type rehearsalBody struct {
	From      time.Time      `json:"from"`
	To        time.Time      `json:"to"`
	Complete  bool           `json:"complete"`
	Logins    int            `json:"logins"`
	Unchanged int            `json:"unchanged"`
	Denied    int            `json:"denied"`
	Asked     int            `json:"asked"`
	Permitted int            `json:"permitted"`
	Uncertain int            `json:"uncertain"`
	Skipped   int            `json:"skipped"`
	Users     []affectedBody `json:"users"`
	Omitted   int            `json:"users_omitted"`
}

type simulationBody struct {
	Request *decisionBody  `json:"request,omitempty"`
	History *rehearsalBody `json:"history,omitempty"`
}

func (s *Store) simulate(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
	req, err := rest.Decode[simulation](r)
	if err != nil {
		return err
	}
	if req.Set != nil {
		if req.draft.Rules, err = policy.ParseRules(*req.Set); err != nil {
			return faulty("cedar_policy_set", err)
		}
	}
	var body simulationBody
	if req.Request != nil {
		if body.Request, err = s.suppose(r.Context(), by, req.draft, req.Request); err != nil {
			return err
		}
	}
	if req.History != nil {
		since := s.moment().AddDate(0, 0, -req.History.Days)
		found, err := s.Rehearse(r.Context(), by.Tenant, req.draft, since, func(int, int) {})
		if err != nil {
			return err
		}
		body.History = renderRehearsal(found, by.Key == nil || slices.Contains(by.Key.Scopes, "users:read"))
	}
	return rest.Respond(w, http.StatusOK, body)
}

// suppose decides a request that is made up.
func (s *Store) suppose(ctx context.Context, by identity.Caller, d Draft, h *hypothetical) (*decisionBody, error) {
	all, err := s.Read(ctx, by.Tenant)
	if err != nil {
		return nil, err
	}
	set, err := d.over(all)
	if err != nil {
		return nil, err
	}
	decided, err := s.Settings.Of(ctx, by.Tenant)
	if err != nil {
		return nil, err
	}
	var who *policy.Subject
	if err := s.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readSubject(b, h.user, or(h.Email, ""), &who) }); err != nil {
		return nil, err
	}
	if who == nil {
		return nil, problem.Field("request.user_id", "must be, or email, that of a user of the tenant")
	}
	outcome, methods, v := set.Outcome(h.question(by, *who, s.moment()), decided.MFA.Enrollable())
	body := &decisionBody{outcome, listed(methods), refs(v.Determining), []failureBody{}, listed(v.Notices(by.Tenant.Locale))}
	for _, f := range v.Failed {
		body.Failures = append(body.Failures, failureBody{refs([]policy.Named{f.Rule})[0], f.Reason})
	}
	return body, nil
}

func renderRehearsal(r Rehearsal, addresses bool) *rehearsalBody {
	users := make([]affectedBody, len(r.Users))
	for i, a := range r.Users {
		users[i] = affectedBody{a.User, nil, a.Change, a.Logins, a.Last, listed(a.Methods), listed(a.Notices), refs(a.Rules)}
		if addresses {
			users[i].Email = &a.Email
		}
	}
	return &rehearsalBody{r.From, r.To.UTC().Truncate(time.Microsecond), r.Complete, r.Logins, r.Unchanged, r.Denied, r.Asked, r.Permitted, r.Uncertain, r.Skipped, users, r.Omitted}
}

// listed is a list that is [] and never null.
func listed(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}
