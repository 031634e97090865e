package tenancy

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
)

// Host is a host name in canonical form: lower case, A-labels, no port, no trailing dot.
type Host string

// maxHost is the length of a name, in the form without a final dot (RFC 1035 section 2.3.4).
const maxHost = 253

// ErrHost is the one refusal of a host name; the sentence is safe to show.
var ErrHost = errors.New("must be a host name such as login.example.com")

// ParseHost reads the host of a request in the form a client sends it: one trailing dot and upper case are forgiven,
// anything else that is not an A-label name is refused. IP addresses are refused: no tenant is one.
func ParseHost(s string) (Host, error) {
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > maxHost {
		return "", ErrHost
	}
	s = lowerASCII(s)
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return "", ErrHost
		}
		last = label
	}
	// A name whose last label is a number is an IPv4 address to every browser (WHATWG URL section 3.5).
	if strings.Trim(last, "0123456789") == "" {
		return "", ErrHost
	}
	return Host(s), nil
}

// ParseDomain reads a domain as a person writes it, so U-labels are welcome and converted (RFC 5891). It wants at
// least two labels: nobody proves a top-level domain.
func ParseDomain(s string) (Host, error) {
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil {
		return "", ErrHost
	}
	h, err := ParseHost(ascii)
	if err != nil || !strings.Contains(string(h), ".") {
		return "", ErrHost
	}
	return h, nil
}

// Within reports whether h is parent or a name below it.
func (h Host) Within(parent Host) bool {
	return parent != "" && (h == parent || strings.HasSuffix(string(h), "."+string(parent)))
}

// lowerASCII folds A to Z alone. strings.ToLower would also fold U+212A KELVIN SIGN to k and so make another name of
// this one; here it stays what it is and fails the label rule.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}

// isLabel is the letter-digit-hyphen rule of RFC 1123 section 2.1. A label that claims to be internationalised must
// be one: "xn--" followed by anything else has no defined Unicode form and could be shown as another name.
func isLabel(l string) bool {
	if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		c := l[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	if strings.HasPrefix(l, "xn--") {
		a, err := idna.Lookup.ToASCII(l)
		return err == nil && a == l
	}
	return true
}
