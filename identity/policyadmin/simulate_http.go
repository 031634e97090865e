package policyadmin

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// simulation asks what a draft would decide: of one request that is made up, of the logins that there were, or of both.
// Without policy_id and cedar_policy_set it is asked of the policies as they are.
type simulation struct {
	Policy  *string       `json:"policy_id"`
	Set     *string       `json:"cedar_policy_set"`
	Request *hypothetical `json:"request"`
	History *history      `json:"history"`

	draft Draft
}

type history struct {
	Days int `json:"days"`
}

// hypothetical is a request that is made up. What it does not say is as it is of the caller's own request, made with a
// password on a device that is known.
type hypothetical struct {
	User      *string    `json:"user_id"`
	Email     *string    `json:"email"`
	Action    *string    `json:"action"`
	IP        *string    `json:"ip"`
	Time      *time.Time `json:"time"`
	AMR       []string   `json:"amr"`
	Method    *string    `json:"method"`
	UserAgent *string    `json:"user_agent"`
	Known     *bool      `json:"known_device"`
	Failures  *int       `json:"failures_last_day"`
	Factor    *string    `json:"factor"`
	Operation *string    `json:"operation"`
	Scope     *string    `json:"scope"`

	user id.User
	ip   netip.Addr
}

// Validate reports bad members.
func (q *simulation) Validate() map[string]string {
	bad := map[string]string{}
	if q.Policy != nil {
		if p, err := id.ParsePolicy(*q.Policy); err != nil {
			bad["policy_id"] = "must be a UUID"
		} else {
			q.draft.Policy = &p
		}
	}
	if q.Request == nil && q.History == nil {
		bad["request"] = "must be given, or history"
	}
	if h := q.History; h != nil && (h.Days < 1 || h.Days > longestHistory) {
		bad["history.days"] = fmt.Sprintf("must be from 1 to %d", longestHistory)
	}
	if q.Request != nil {
		q.Request.validate(bad)
	}
	return bad
}

func (h *hypothetical) validate(bad map[string]string) {
	var err error
	if h.User == nil && h.Email == nil {
		bad["request.user_id"] = "must be given, or email"
	}
	if h.User != nil {
		if h.user, err = id.ParseUser(*h.User); err != nil {
			bad["request.user_id"] = "must be a UUID"
		}
	}
	if h.Email != nil {
		if e, err := identity.ParseEmail(*h.Email); err != nil {
			bad["request.email"] = err.Error()
		} else {
			*h.Email = string(e)
		}
	}
	if h.IP != nil {
		if h.ip, err = netip.ParseAddr(*h.IP); err != nil || h.ip.Zone() != "" {
			bad["request.ip"] = "must be an IP address"
		}
	}
	if h.Action != nil && !slices.Contains(policy.Actions, policy.Action(*h.Action)) {
		bad["request.action"] = fmt.Sprintf("must be one of %v", policy.Actions)
	}
	if h.Failures != nil && *h.Failures < 0 {
		bad["request.failures_last_day"] = "must not be negative"
	}
}

// question is what is asked, of a user who was read.
func (h *hypothetical) question(by identity.Caller, who policy.Subject, now time.Time) policy.Question {
	q := policy.Question{Tenant: by.Tenant.ID, Slug: string(by.Tenant.Slug), Action: policy.Action(or(h.Action, string(policy.Login))), Subject: who}
	q.Context = policy.Context{IP: by.From.IP, Now: or(h.Time, now), AMR: h.AMR, UserAgent: or(h.UserAgent, by.From.UserAgent), Factor: or(h.Factor, ""),
		Operation: or(h.Operation, ""), Scope: or(h.Scope, ""), Standing: policy.Standing{KnownDevice: or(h.Known, true), FailuresLastDay: or(h.Failures, 0)}}
	if h.IP != nil {
		q.Context.IP = h.ip
	}
	if q.Context.AMR == nil {
		q.Context.AMR = []string{"pwd"}
	}
	q.Context.Method = or(h.Method, policy.MethodOf(q.Context.AMR))
	return q
}

func or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

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
