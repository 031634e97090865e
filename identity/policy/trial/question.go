package trial

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Test is a question and what is to come of it. What it does not say is as it is of Ann, who signs in with her password on a
// Monday at nine (UTC), from 203.0.113.7, with Firefox, as on the days before.
type Test struct {
	Name        string        `yaml:"name"`
	User        User          `yaml:"user"`
	Action      policy.Action `yaml:"action"`
	IP          string        `yaml:"ip"`
	Time        *time.Time    `yaml:"time"`
	AMR         []string      `yaml:"amr"`
	Method      string        `yaml:"method"` // pwd, passkey, oidc; what amr says where it is left out
	UserAgent   string        `yaml:"user_agent"`
	Known       *bool         `yaml:"known_device"`
	Failures    int           `yaml:"failures_last_day"`
	Factor      string        `yaml:"factor"`
	Application string        `yaml:"application"`
	Operation   string        `yaml:"operation"`
	Scope       string        `yaml:"scope"`
	Locale      string        `yaml:"locale"` // in which notices are told

	Want    policy.Outcome `yaml:"want"`
	Methods []string       `yaml:"methods"` // of a challenge or enrolment; nil: whichever
	Notices []string       `yaml:"notices"` // nil: whichever
}

// User is who asks.
type User struct {
	ID       string     `yaml:"id"`
	Email    string     `yaml:"email"`
	Verified *bool      `yaml:"email_verified"`
	Owner    bool       `yaml:"owner"`
	Roles    []string   `yaml:"roles"`
	Factors  []string   `yaml:"factors"`
	Created  *time.Time `yaml:"created"`
}

var (
	ann    = User{ID: "019c0000-0000-7000-8000-000000000001", Email: "ann@acme.example"}
	monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
)

func or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

func said(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (t Test) question() (q policy.Question, err error) {
	if !slices.Contains([]policy.Outcome{policy.Permit, policy.Challenge, policy.Enrolment, policy.Deny}, t.Want) {
		return q, errors.New("want must be permit, challenge, enroll or deny")
	}
	q = policy.Question{Tenant: id.Tenant{15: 1}, Slug: "acme", Action: policy.Action(said(string(t.Action), string(policy.Login)))}
	if !slices.Contains(policy.Actions, q.Action) {
		return q, fmt.Errorf("action must be one of %v", policy.Actions)
	}
	ip, err := netip.ParseAddr(said(t.IP, "203.0.113.7"))
	if err != nil {
		return q, fmt.Errorf("ip: %w", err)
	}
	user, err := id.ParseUser(said(t.User.ID, ann.ID))
	if err != nil {
		return q, errors.New("user.id must be a UUID")
	}
	q.Subject = policy.Subject{ID: user, Email: strings.ToLower(said(t.User.Email, ann.Email)), EmailVerified: or(t.User.Verified, true), Owner: t.User.Owner,
		Roles: t.User.Roles, Factors: t.User.Factors, Created: or(t.User.Created, monday.AddDate(-1, 0, 0))}
	if q.Subject.Roles == nil {
		q.Subject.Roles = []string{"user"}
	}
	q.Context = policy.Context{IP: ip, Now: or(t.Time, monday), AMR: t.AMR, Method: t.Method, UserAgent: said(t.UserAgent, "Firefox/140.0"), Factor: t.Factor,
		Application: t.Application, Operation: t.Operation, Scope: t.Scope, Standing: policy.Standing{KnownDevice: or(t.Known, true), FailuresLastDay: t.Failures}}
	if q.Context.AMR == nil {
		q.Context.AMR = []string{"pwd"}
	}
	if q.Context.Method == "" {
		q.Context.Method = policy.MethodOf(q.Context.AMR)
	}
	return q, nil
}
