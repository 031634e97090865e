package policy

import "strings"

// facts are what rules ask for that costs a query.
type facts struct{ standing bool }

// factsOf looks for the names of those facts. One that is only in a comment costs a query and does no harm.
func factsOf(text string) facts {
	return facts{strings.Contains(text, "known_device") || strings.Contains(text, "failures_last_day") || strings.Contains(text, `["`)}
}
