package policy

import "slices"

// Kinds of second factor, as everywhere in the service.
const (
	totp     = "totp"
	passkey  = "webauthn_passkey" //nolint:gosec // no password
	security = "webauthn_fido"
)

// proofs are the ways in which a proof by a factor of a kind can turn out (RFC 8176).
func proofs(method string) [][]string {
	switch method {
	case totp:
		return [][]string{{"otp", "mfa"}}
	case passkey:
		return [][]string{{"swk", "user", "mfa"}, {"hwk", "user", "mfa"}}
	case security:
		return [][]string{{"hwk", "mfa"}, {"hwk", "user", "mfa"}, {"swk", "mfa"}, {"swk", "user", "mfa"}}
	}
	return nil
}

// Lift is what a denial can be lifted by.
type Lift struct {
	Methods []string // none: by nothing
	Enrol   bool     // one of them has to be set up first
}

// Lift looks for second factors with which a question that is denied would be permitted: of those the user has or, where they
// have none, of those they could set up. Who has some that do not help is not let set up another: a password alone must not
// add to what an account has. What is proved in the end is put to the rules again.
func (s *Set) Lift(q Question, enrollable []string) Lift { return s.liftOf(q, q.cast(), enrollable) }

func (s *Set) liftOf(q Question, c cast, enrollable []string) Lift {
	if q.Context.ACR() == "aal2" {
		return Lift{}
	}
	if len(q.Subject.Factors) > 0 {
		return Lift{Methods: s.helpingOf(q, c, q.Subject.Factors)}
	}
	may := slices.DeleteFunc(slices.Clone(enrollable), func(m string) bool { return !s.MayEnrol(q, m) })
	return Lift{s.helpingOf(q, c, may), true}
}

// Helping are the methods with which the question would be permitted.
func (s *Set) Helping(q Question, methods []string) []string {
	return s.helpingOf(q, q.cast(), methods)
}

func (s *Set) helpingOf(q Question, c cast, methods []string) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(m string) bool {
		return !slices.ContainsFunc(proofs(m), func(amr []string) bool { return s.decideOf(q.With(amr...), c).Permitted })
	})
}

// MayEnrol reports whether whoever asks may set up a factor of a kind, as things are.
func (s *Set) MayEnrol(q Question, method string) bool {
	q.Action, q.Context.Factor = EnrollFactor, method
	return s.Decide(q).Permitted
}

// StepUp has the question be what a session is raised by: proved with one of the methods.
func (q Question) StepUp(method string) Question {
	if ways := proofs(method); len(ways) > 0 {
		q = q.With(ways[0]...)
	}
	return q
}
