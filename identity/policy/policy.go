// Package policy decides by a tenant's own rules, written in Cedar (https://docs.cedarpolicy.com), whether somebody may sign
// in, stay signed in, prove more, set up a factor or administer, and says why.
//
// A [Rule] is one Cedar statement that the service's schema accepts. A [Set] is the rules of a tenant, compiled; it answers a
// [Question] with a [Verdict], which knows the rules that determined it and what they have to say to the person.
//
//	text --ParseRules--> Rule --Compile--> Set
//	                                        |
//	Question ---------------------------> Decide --> Verdict --Notices--> texts in the person's language
//
// It is a library: nothing is read or written here, and the same question to the same set has the same verdict. What a
// tenant's rules are is kept by identity/policyadmin, and identity asks.
//
// Traps: in Cedar a rule that fails while it is evaluated is left out, so a forbid that fails would let everybody in. Here a
// failure of any rule denies. A rule may ask for facts that cost a query; [Set.Asks] says whether one does, so that nobody
// else pays for it.
package policy

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Action is what somebody wants to do.
type Action string

// The actions there are.
const (
	Login        Action = "login"
	Refresh      Action = "refresh"
	StepUp       Action = "step_up"
	Exchange     Action = "exchange"
	EnrollFactor Action = "enroll_factor"
	CallAPI      Action = "call_api"
)

// Actions are all of them.
var Actions = []Action{Login, Refresh, StepUp, Exchange, EnrollFactor, CallAPI}

// Question is whether somebody may do something.
type Question struct {
	Tenant  id.Tenant
	Slug    string
	Action  Action
	Subject Subject
	Context Context
}

// Subject is who wants to do it.
type Subject struct {
	ID            id.User
	Email         string // in lower case
	EmailVerified bool
	Owner         bool
	Roles         []string
	Factors       []string
	Created       time.Time
}

// Context is how it comes about.
type Context struct {
	IP          netip.Addr
	Now         time.Time
	Method      string // pwd, passkey, oidc
	AMR         []string
	UserAgent   string
	Agent       string // family of the browser; empty: what UserAgent says
	Standing    Standing
	Factor      string // that is set up: of EnrollFactor
	Application string // of Exchange: its return URL
	Operation   string // of CallAPI, as in "DELETE /v1/users/{id}"
	Scope       string // of CallAPI
}

// DeviceMemory is how long a browser is known after its user has signed in with it.
const DeviceMemory = 90 * 24 * time.Hour

// Standing is what has to be looked up about a user, and is only where a rule asks for it.
type Standing struct {
	KnownDevice     bool
	FailuresLastDay int
}

// MethodOf is what a session with these proofs was begun with. A passkey alone has no password among its methods.
func MethodOf(amr []string) string {
	if slices.Contains(amr, "pwd") {
		return "pwd"
	}
	return "passkey"
}

// ACR is the assurance level of what was proved.
func (c Context) ACR() string {
	if slices.Contains(c.AMR, "mfa") {
		return "aal2"
	}
	return "aal1"
}

// With is the question had these methods been proved besides (RFC 8176).
func (q Question) With(amr ...string) Question {
	all := slices.Clone(q.Context.AMR)
	for _, m := range amr {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	q.Context.AMR = all
	return q
}
