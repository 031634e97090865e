package policyadmin

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
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
	User        *string    `json:"user_id"`
	Email       *string    `json:"email"`
	Action      *string    `json:"action"`
	IP          *string    `json:"ip"`
	Time        *time.Time `json:"time"`
	AMR         []string   `json:"amr"`
	Method      *string    `json:"method"`
	UserAgent   *string    `json:"user_agent"`
	Known       *bool      `json:"known_device"`
	Failures    *int       `json:"failures_last_day"`
	Factor      *string    `json:"factor"`
	Application *string    `json:"application"`
	Operation   *string    `json:"operation"`
	Scope       *string    `json:"scope"`

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
		Application: or(h.Application, ""), Operation: or(h.Operation, ""), Scope: or(h.Scope, ""), Standing: policy.Standing{KnownDevice: or(h.Known, true), FailuresLastDay: or(h.Failures, 0)}}
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
