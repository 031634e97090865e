package policy

import (
	"regexp"
	"slices"
	"strings"
)

// facts are what rules ask for that is not always at hand.
type facts struct {
	standing bool // costs a query
	address  bool // is not known exactly of what is past
}

var ipWord = regexp.MustCompile(`\bip\b`)

// factsOf looks for the names of those facts in a rule as Cedar writes it, without comments and escapes. A name that is in a
// string costs a query and does no harm.
func factsOf(text string) facts {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(text, name) })
	}
	return facts{standing: has("known_device", "failures_last_day"), address: ipWord.MatchString(text)}
}
