package password

import (
	"errors"
	"fmt"
)

// The bounds of a tenant's minimum length, in code points after NFKC.
const (
	FloorMinLength   = 8  // never below, whatever is stored: enough only where a second factor is demanded
	DefaultMinLength = 15 // where a password alone suffices
	CeilMinLength    = 64 // a higher minimum would refuse what every tenant must accept
)

// Policy is a tenant's rule for new passwords. It judges passwords being set, never one being verified: a rule made
// stricter must not lock anyone out. The zero Policy is DefaultPolicy.
type Policy struct {
	MinLength int // code points after NFKC, 8 to 64; 0 means 15
}

// DefaultPolicy is the rule where the tenant set none.
var DefaultPolicy = Policy{MinLength: DefaultMinLength}

// ErrWeak is what every refusal of a Policy is (errors.Is); the reason is in WeakError.
var ErrWeak = errors.New("password: too weak")

// Reason is a stable code for why a password is too weak.
type Reason string

// TooShort: fewer code points than WeakError.Min.
const TooShort Reason = "too_short"

// WeakError is ErrWeak with its reason as data, so that a client can say it in the user's language.
type WeakError struct {
	Reason Reason
	Min    int // for TooShort: the length needed, in code points after NFKC
}

// Error is a sentence fit for the user.
func (e *WeakError) Error() string {
	return fmt.Sprintf("The password must have at least %d characters.", e.Min)
}

// Unwrap makes errors.Is(err, ErrWeak) true.
func (e *WeakError) Unwrap() error { return ErrWeak }

// Validate answers whether the policy may be stored for a tenant.
func (p Policy) Validate() error {
	if p.MinLength < FloorMinLength || p.MinLength > CeilMinLength {
		return fmt.Errorf("password: minimum length %d is not within %d to %d", p.MinLength, FloorMinLength, CeilMinLength)
	}
	return nil
}

// Check judges a new password and answers nil or a *WeakError. There are no rules about kinds of characters.
// The words are those an attacker tries first for this account: of the tenant, the service, the user. Only the
// length is judged so far, which needs none of them; callers give them so that the block list reaches every path.
func (p Policy) Check(pw Password, words ...string) error {
	if low := p.min(); pw.Length() < low {
		return &WeakError{Reason: TooShort, Min: low}
	}
	return nil
}

// min keeps the bounds even for a value that Validate never saw, so that a damaged row cannot weaken the rule.
func (p Policy) min() int {
	if p.MinLength == 0 {
		return DefaultMinLength
	}
	return min(max(p.MinLength, FloorMinLength), CeilMinLength)
}
