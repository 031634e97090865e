package policy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// typeFaults are what the validator has against a statement. It judges a rule for each action there is and says the same of each, in any
// order, and no place: here it is said once, with the actions, at the name it is about.
func typeFaults(document string, at cedar.Position, err error) Faults {
	var said []string
	actions := map[string][]string{}
	for _, reason := range slices.SortedFunc(slices.Values(reasons(err)), namesFirst) {
		action := ""
		if m := ofAction.FindStringSubmatch(reason); m != nil {
			action, reason = m[1], strings.Replace(reason, m[0], "", 1)
		}
		if !slices.Contains(said, reason) {
			said = append(said, reason)
		}
		if action != "" {
			actions[reason] = append(actions[reason], action)
		}
	}
	faults := make(Faults, len(said))
	for i, reason := range said {
		line, column := placeOf(document, at, reason)
		if of := actions[reason]; len(of) > 0 && len(of) < len(Actions) {
			reason += " (of " + strings.Join(of, ", ") + ")"
		}
		faults[i] = Fault{line, column, shortened(reason)}
	}
	return faults
}

// namesFirst orders reasons: those that quote what is wrong before those that only follow from it.
func namesFirst(a, b string) int {
	quotes := func(s string) int { return -min(1, strings.Count(s, "`")) }
	return cmp.Or(cmp.Compare(quotes(a), quotes(b)), strings.Compare(a, b))
}

var (
	ofAction = regexp.MustCompile(` for Action::"([a-z_]+)"`)
	quoted   = regexp.MustCompile("`([A-Za-z_][A-Za-z0-9_]*)`")
)

// reasons are those of an error that the validator has joined, without its name for the rule.
func reasons(err error) (all []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, reasons(one)...)
		}
		return all
	}
	return []string{strings.TrimPrefix(err.Error(), "for policy `rule`, ")}
}

// placeOf is where the name stands that a reason quotes, and else where the statement begins.
func placeOf(document string, at cedar.Position, reason string) (line, column int) {
	m := quoted.FindStringSubmatch(reason)
	if m == nil || at.Offset > len(document) {
		return at.Line, at.Column
	}
	found := regexp.MustCompile(`\b` + m[1] + `\b`).FindStringIndex(document[at.Offset:])
	if found == nil {
		return at.Line, at.Column
	}
	before := document[:at.Offset+found[0]]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// shortened cuts a reason that quotes a type as long as the rule.
func shortened(reason string) string {
	if r := []rune(reason); len(r) > 300 {
		return string(r[:300]) + " ..."
	}
	return reason
}
