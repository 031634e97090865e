package policy

import (
	"github.com/cedar-policy/cedar-go"
)

// Verdict is the answer to a question.
type Verdict struct {
	Permitted bool
	// Determining are the rules that decided: the forbids that hold, or else the permits that do; none where nothing permits.
	Determining []Named
	// Failed are rules that could not be evaluated. Where there are any, nobody is permitted.
	Failed []Failure
	// WouldDeny are the rules that would deny were those that are watched enforced: nil where nothing would change, or where
	// the verdict is no anyhow. It is empty and not nil where no rule would permit.
	WouldDeny []Named
}

// Failure is a rule that could not be evaluated.
type Failure struct {
	Rule   Named
	Reason string
}

// Decide answers a question. Forbid wins, and what nothing permits is denied.
func (s *Set) Decide(q Question) Verdict {
	if v, foregone := s.always[q.Action]; foregone {
		return v
	}
	return s.decideOf(q, q.cast())
}

// decideOf is Decide for a question whose cast there is already: it is the same however much is proved.
func (s *Set) decideOf(q Question, c cast) Verdict {
	r := q.request(c)
	v := s.decide(s.byAct[q.Action], c, r)
	if v.Permitted && s.shadow != nil && len(s.shadow[q.Action]) > len(s.byAct[q.Action]) {
		if would := s.decide(s.shadow[q.Action], c, r); !would.Permitted {
			v.WouldDeny = append([]Named{}, would.Determining...)
			for _, f := range would.Failed {
				v.WouldDeny = append(v.WouldDeny, f.Rule)
			}
		}
	}
	return v
}

func (s *Set) decide(rules []int, c cast, r cedar.Request) (v Verdict) {
	decision, why := cedar.Authorize(some{s, rules}, c, r)
	v.Permitted = decision == cedar.Allow && len(why.Errors) == 0
	for _, e := range why.Errors {
		v.Failed = append(v.Failed, Failure{s.named(e.PolicyID), e.Message})
	}
	if decision == cedar.Allow && !v.Permitted {
		return v // the permits did not decide it
	}
	for _, reason := range why.Reasons {
		v.Determining = append(v.Determining, s.named(reason.PolicyID))
	}
	return v
}

// Notices are what the rules that decided have to say, each once, in the first of these locales (BCP 47) that a rule knows.
func (v Verdict) Notices(locales ...string) []string {
	var texts []string
	seen := map[string]bool{}
	for _, r := range v.Determining {
		if text := r.Rule.said.in(locales...); text != "" && !seen[text] {
			seen[text] = true
			texts = append(texts, text)
		}
	}
	return texts
}

// Speaks reports whether there are notices, so that nobody looks up a language for nothing.
func (v Verdict) Speaks() bool {
	for _, r := range v.Determining {
		if len(r.Rule.said) > 0 {
			return true
		}
	}
	return false
}
