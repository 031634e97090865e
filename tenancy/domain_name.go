package tenancy

import (
	"errors"
	"slices"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Refusals of a name that is a host name and nobody's to claim; the sentences are safe to show.
var (
	errPublicSuffix = errors.New("is a public suffix, below which everybody may have a name; claim a name of your own below it")
	errNoRoom       = errors.New("is too long: there is no room for the name of the record that proves it")
)

// ParseClaim reads a domain that a tenant may claim, as a person writes it: see ParseDomain. A public suffix (co.uk,
// github.io; publicsuffix.org, its private part too) is refused: whoever can put one record there would be taken for all who
// have a name below it.
func ParseClaim(s string) (Host, error) {
	h, err := ParseDomain(s)
	if err != nil {
		return "", err
	}
	if suffix, _ := publicsuffix.PublicSuffix(string(h)); suffix == string(h) {
		return "", errPublicSuffix
	}
	if len(Domain{Domain: h}.RecordName()) > maxHost {
		return "", errNoRoom
	}
	return h, nil
}

// Unicode is the name as people read it, in U-labels.
func (h Host) Unicode() string {
	u, err := idna.Display.ToUnicode(string(h))
	if err != nil {
		return string(h)
	}
	return u
}

// platforms reports whether a name belongs to the platform: its hosts and the names below them are, for any use, and for
// serving a tenant the names above them too, whose cookies and strict transport security would be the platform's as well.
// Mail has no such reach, so the company that runs the platform may be a tenant and have its own addresses.
func (s *Domains) platforms(h Host, uses []Use) bool {
	if s.unproved(h) {
		return false
	}
	return slices.ContainsFunc(s.Platform, func(p Host) bool {
		return h.Within(p) || slices.Contains(uses, UseHost) && p.Within(h)
	})
}

// unproved reports whether a name is taken as proved when asked.
func (s *Domains) unproved(h Host) bool {
	return s.Unproved != "" && h != s.Unproved && h.Within(s.Unproved)
}
