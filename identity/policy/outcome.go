package policy

// Outcome is what somebody meets with.
type Outcome string

// The outcomes. A denial that a second factor lifts is a Challenge or, where it has to be set up first, an Enrolment.
const (
	Permit    Outcome = "permit"
	Challenge Outcome = "challenge"
	Enrolment Outcome = "enroll"
	Deny      Outcome = "deny"
)

// Outcome is what comes of a question: of a login, what the client is answered. The methods are those of a challenge or an
// enrolment. What the tenant demands besides the rules is not looked at.
func (s *Set) Outcome(q Question, enrollable []string) (Outcome, []string, Verdict) {
	if v, foregone := s.always[q.Action]; foregone {
		return Permit, nil, v
	}
	c := q.cast()
	v := s.decideOf(q, c)
	if v.Permitted {
		return Permit, nil, v
	}
	if q.Action != Login {
		return Deny, nil, v
	}
	switch lift := s.liftOf(q, c, enrollable); {
	case len(lift.Methods) == 0:
		return Deny, nil, v
	case lift.Enrol:
		return Enrolment, lift.Methods, v
	default:
		return Challenge, lift.Methods, v
	}
}
