package password

import (
	"crypto/sha1" //nolint:gosec // the name under which breached passwords are known; nothing of ours rests on it
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/identity/password/blocklist"
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
	MinLength int      // code points after NFKC, 8 to 64; 0 means 15
	Breaches  Breaches // nil: there is no filter
}

// Breaches knows passwords that were found in breaches, by their SHA-1, which is how such lists are handed on.
type Breaches interface {
	Contains(sha1 [sha1.Size]byte) (bool, error)
}

// DefaultPolicy is the rule where the tenant set none.
var DefaultPolicy = Policy{MinLength: DefaultMinLength}

// ErrWeak is what every refusal of a Policy is (errors.Is); the reasons are in WeakError.
var ErrWeak = errors.New("password: too weak")

// Reason is a stable code for why a password is too weak.
type Reason string

// Why a password is too weak.
const (
	TooShort        Reason = "too_short"        // fewer code points than WeakError.Min
	Common          Reason = "common"           // among those tried first (package blocklist)
	Repeated        Reason = "repeated"         // a few characters, or something common, over and over
	Sequence        Reason = "sequence"         // the digits or the alphabet in order
	ContainsUser    Reason = "contains_user"    // made of the user's name or address
	ContainsTenant  Reason = "contains_tenant"  // made of the tenant's name, slug or domains
	ContainsService Reason = "contains_service" // made of the name of the service
	Breached        Reason = "breached"         // found in a breach
)

// sentences are fit for the user.
var sentences = map[Reason]string{
	Common:          "The password is one of those that are tried first.",
	Repeated:        "The password says the same over and over.",
	Sequence:        "The password is characters in their order.",
	ContainsUser:    "The password is made of your name or address.",
	ContainsTenant:  "The password is made of the name of your organisation.",
	ContainsService: "The password is made of the name of this service.",
	Breached:        "The password was found in a breach of some other service.",
}

// WeakError is ErrWeak with its reasons as data, so that a client can say them in the user's language.
type WeakError struct {
	Reasons []Reason // at least one, in the order above
	Min     int      // the length needed, in code points after NFKC
}

// Error is a sentence for each reason, fit for the user.
func (e *WeakError) Error() string {
	var all []string
	for _, r := range e.Reasons {
		if r == TooShort {
			all = append(all, fmt.Sprintf("The password must have at least %d characters.", e.Min))
		} else {
			all = append(all, sentences[r])
		}
	}
	return strings.Join(all, " ")
}

// Unwrap makes errors.Is(err, ErrWeak) true.
func (e *WeakError) Unwrap() error { return ErrWeak }

// Check judges a new password and answers nil, a *WeakError with all reasons at once, or the error of the filter of
// breaches. There are no rules about kinds of characters.
func (p Policy) Check(pw Password, w Words) error {
	weak := &WeakError{Min: p.min()}
	add := func(is bool, r Reason) {
		if is {
			weak.Reasons = append(weak.Reasons, r)
		}
	}
	add(pw.Length() < weak.Min, TooShort)
	if pw.IsZero() {
		return weak
	}
	folded := blocklist.Fold(*pw.text)
	add(blocklist.Contains(folded), Common)
	add(repeats(folded), Repeated)
	add(inOrder(folded), Sequence)
	weak.Reasons = append(weak.Reasons, w.in(folded)...)
	if p.Breaches != nil {
		found, err := p.Breaches.Contains(sha1.Sum(pw.bytes())) //nolint:gosec // not ours to choose: lists of breached passwords are of these
		if err != nil {
			return err
		}
		add(found, Breached)
	}
	if len(weak.Reasons) == 0 {
		return nil
	}
	return weak
}

// min keeps the bounds even for a value that the settings would refuse, so that a damaged row cannot weaken the rule.
func (p Policy) min() int {
	if p.MinLength == 0 {
		return DefaultMinLength
	}
	return min(max(p.MinLength, FloorMinLength), CeilMinLength)
}
