package policy

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cedar-policy/cedar-go"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// What random rules are made of. Together they permit and forbid about as often.
var (
	scopes     = []string{"principal", `principal in Role::"admin"`, `principal in Role::"user"`, "principal is User"}
	actions    = []string{"action", `action == Action::"login"`, `action in [Action::"login", Action::"refresh"]`, `action == Action::"enroll_factor"`, `action == Action::"call_api"`}
	conditions = []string{"", "", `when { context.amr.contains("mfa") }`, `unless { context.amr.contains("mfa") }`, `when { context.amr.containsAny(["hwk", "swk"]) }`,
		`unless { context.acr == "aal2" || context.hour > 12 }`, `when { context.amr.contains("otp") }`, `when { context.ip.isInRange(ip("203.0.113.0/24")) }`,
		`when { context.failures_last_day * 9223372036854775807 > 5 }`, `unless { principal.factors.contains("totp") }`}
	kinds = []string{totp, passkey, security}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func randomSet(t *testing.T, r *rand.Rand) *Set {
	t.Helper()
	var all []Named
	for range 1 + r.IntN(6) {
		effect := "permit"
		if r.IntN(3) == 0 {
			effect = "forbid"
		}
		rule, err := ParseRule(fmt.Sprintf("%s (%s, %s, resource) %s;", effect, pick(r, scopes), pick(r, actions), pick(r, conditions)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Named{Rule: rule, ID: id.NewRule(), Shadow: r.IntN(8) == 0})
	}
	return Compile(all)
}

func randomQuestion(r *rand.Rand) Question {
	q := login()
	q.Action = pick(r, Actions)
	q.Subject.Roles = pick(r, [][]string{{"user"}, {"admin"}, {"admin", "user"}, {}})
	for _, k := range kinds {
		if r.IntN(3) == 0 {
			q.Subject.Factors = append(q.Subject.Factors, k)
		}
	}
	q.Context.Standing.FailuresLastDay = r.IntN(3)
	if r.IntN(4) == 0 {
		q = q.With("otp", "mfa")
	}
	return q
}

// enforced are all rules of a set that are not only watched, for Cedar itself.
type enforced struct{ *Set }

func (e enforced) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, r := range e.rules {
			if !r.Shadow && !yield(cedar.PolicyID(fmt.Sprint(i)), r.Rule.compiled) {
				return
			}
		}
	}
}

// Leaving out rules of other actions, and what is foregone, changes no verdict: it is Cedar's over all rules, but that a failure denies.
func TestVerdictsAreCedars(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	permitted := 0
	for range 5_000 {
		set, q := randomSet(t, r), randomQuestion(r)
		c := q.cast()
		decision, why := cedar.Authorize(enforced{set}, c, q.request(c))
		// A rule of another action is not evaluated here, nor by Cedar: its scope does not match.
		want := decision == cedar.Allow && len(why.Errors) == 0
		if got := set.Decide(q); got.Permitted != want {
			t.Fatalf("%s: permitted is %v, by Cedar %v of\n%v", q.Action, got.Permitted, want, texts(set))
		} else if want {
			permitted++
		}
	}
	if permitted < 500 || permitted > 4_500 {
		t.Errorf("%d of 5,000 are permitted: the rules say little", permitted)
	}
}

// A step-up never grants what the rules deny: what it is offered for is permitted with just that proof, and nobody is offered what would
// be denied with all that it proves.
func TestOnlyWhatLiftsIsAskedFor(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lifted := 0
	for range 5_000 {
		set, q := randomSet(t, r), randomQuestion(r)
		q.Action = Login
		outcome, methods, v := set.Outcome(q, kinds)
		if v.Permitted != (outcome == Permit) {
			t.Fatalf("%s of %+v", outcome, v)
		}
		helps := func(m string) bool {
			return slices.ContainsFunc(proofs(m), func(amr []string) bool { return set.Decide(q.With(amr...)).Permitted })
		}
		for _, m := range kinds {
			offered := slices.Contains(methods, m)
			lifted += map[bool]int{true: 1}[offered]
			has := slices.Contains(q.Subject.Factors, m)
			may := has || len(q.Subject.Factors) == 0 && set.MayEnrol(q, m)
			want := outcome != Permit && q.Context.ACR() != "aal2" && may && helps(m)
			if offered != want {
				t.Fatalf("%s is offered: %v, want %v (%s) of\n%v", m, offered, want, outcome, texts(set))
			}
		}
	}
	if lifted < 100 {
		t.Errorf("%d methods were offered in all: the rules say little", lifted)
	}
}

func texts(s *Set) (all []string) {
	for _, r := range s.rules {
		all = append(all, r.Rule.Text())
	}
	return all
}
