package identity

import (
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Email is an address in the one form under which an account is known: the local part folded to lower case in ASCII
// alone, the domain as lower-case A-labels. Every flow that takes an address uses ParseEmail, so no two flows can
// disagree about who somebody is.
type Email string

// ErrEmail is the one refusal of an address; the sentence is safe to show.
var ErrEmail = errors.New("must be an e-mail address")

// ParseEmail reads an address as a person types it. Taken is the dot-atom form of RFC 5322 section 3.4.1, at most 64
// bytes before the @ and 254 in all (RFC 5321 section 4.5.3.1). Quoted local parts, comments and IP literals are
// refused, and so are local parts outside ASCII: folding those differs between mail systems, and two accounts that one
// system delivers to the same box are an account takeover.
func ParseEmail(s string) (Email, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 {
		return "", ErrEmail
	}
	local := []byte(s[:at])
	for i, c := range local {
		switch {
		case 'A' <= c && c <= 'Z':
			local[i] = c + 'a' - 'A'
		case c == '.':
			if i == 0 || i == len(local)-1 || local[i-1] == '.' {
				return "", ErrEmail
			}
		case !atext(c):
			return "", ErrEmail
		}
	}
	domain, err := tenancy.ParseDomain(s[at+1:])
	if err != nil || len(local)+1+len(domain) > 254 || strings.TrimRight(s, dots) != s {
		return "", ErrEmail
	}
	return Email(string(local) + "@" + string(domain)), nil
}

// dots are what IDNA reads as one (UTS 46 section 2.3). A domain forgives one at its end, an address does not.
const dots = ".\u3002\uff0e\uff61"

// Domain is what is behind the @.
func (e Email) Domain() tenancy.Host {
	_, domain, _ := strings.Cut(string(e), "@")
	return tenancy.Host(domain)
}

func atext(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
