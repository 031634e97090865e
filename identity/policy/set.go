package policy

import (
	"iter"
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Named is a rule with the names it has where it is kept.
type Named struct {
	Policy id.Policy
	ID     id.Rule
	Rule   Rule
	Shadow bool // is only watched: what it would have decided is said and not done
}

// Set is the rules of a tenant. It does not change and may be asked by many at once.
type Set struct {
	rules  []Named
	byAct  map[Action][]int   // of those that are enforced: which can have a say, in their order
	shadow map[Action][]int   // likewise with those that are watched
	always map[Action]Verdict // of actions that are permitted whoever asks: the verdict
	asks   facts
}

// Compile makes a Set of rules, in the order in which their notices are told.
func Compile(rules []Named) *Set {
	s := &Set{rules: rules, byAct: map[Action][]int{}, shadow: map[Action][]int{}}
	watched := false
	for i, r := range rules {
		s.asks.standing = s.asks.standing || r.Rule.asks.standing
		s.asks.address = s.asks.address || r.Rule.asks.address
		watched = watched || r.Shadow
		for _, a := range Actions {
			if !speaksOf(r.Rule, a) {
				continue
			}
			s.shadow[a] = append(s.shadow[a], i)
			if !r.Shadow {
				s.byAct[a] = append(s.byAct[a], i)
			}
		}
	}
	if !watched {
		s.shadow = nil
	}
	s.always = s.foregone()
	return s
}

// foregone are the verdicts that do not depend on the question: of actions about which there are only rules that permit, to
// anybody and without conditions. By default that is everything a login and a refresh ask.
func (s *Set) foregone() map[Action]Verdict {
	verdicts := map[Action]Verdict{}
	for a, rules := range s.byAct {
		if s.shadow != nil || slices.ContainsFunc(rules, func(i int) bool { return !s.rules[i].Rule.unconditional() }) {
			continue
		}
		v := Verdict{Permitted: true}
		for _, i := range rules {
			v.Determining = append(v.Determining, s.rules[i])
		}
		verdicts[a] = v
	}
	return verdicts
}

// unconditional reports whether a rule permits what its action scope names, whoever asks and of whatever resource.
func (r Rule) unconditional() bool {
	a := r.compiled.AST()
	_, anybody := a.Principal.(cedarast.ScopeTypeAll)
	_, anything := a.Resource.(cedarast.ScopeTypeAll)
	return r.Permits() && anybody && anything && len(a.Conditions) == 0
}

// Len is how many rules there are.
func (s *Set) Len() int { return len(s.rules) }

// Asks reports whether a rule asks for a user's [Standing].
func (s *Set) Asks() bool { return s.asks.standing }

// AsksAddress reports whether a rule asks for the client's address.
func (s *Set) AsksAddress() bool { return s.asks.address }

// speaksOf reports whether the scope of a rule can match an action. There are no groups of actions.
func speaksOf(r Rule, a Action) bool {
	is := func(uid types.EntityUID) bool { return uid.Type == actionType && string(uid.ID) == string(a) }
	switch scope := r.compiled.AST().Action.(type) {
	case cedarast.ScopeTypeEq:
		return is(scope.Entity)
	case cedarast.ScopeTypeIn:
		return is(scope.Entity)
	case cedarast.ScopeTypeInSet:
		for _, uid := range scope.Entities {
			if is(uid) {
				return true
			}
		}
		return false
	}
	return true
}

// some is a part of a set's rules as Cedar goes through them. A rule's name there is its place in the set.
type some struct {
	of *Set
	at []int
}

// All goes through them in their order.
func (s some) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, i := range s.at {
			if !yield(cedar.PolicyID(strconv.Itoa(i)), s.of.rules[i].Rule.compiled) {
				return
			}
		}
	}
}

func (s *Set) named(p cedar.PolicyID) Named {
	i, _ := strconv.Atoi(string(p)) // ours, see All
	return s.rules[i]
}
