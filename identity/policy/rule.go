package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// The limits of a rule. They bound what it costs to evaluate one: a rule has no loops, and what it can take is in proportion
// to its text.
const (
	MaxRuleText = 8 << 10 // bytes
	MaxNotice   = 500     // characters
	maxDepth    = 60      // of brackets: a person's rule has a handful
)

// Rule is one Cedar statement that the schema accepts.
type Rule struct {
	text     string
	compiled *cedar.Policy
	said     notice
	asks     facts
}

// Fault is why a text is no rule.
type Fault struct {
	Line   int    `json:"line"`   // from 1; 0 where it is about no place
	Column int    `json:"column"` // from 1, in characters
	Reason string `json:"reason"`
}

// Faults is the error of a text with faults. It is never empty.
type Faults []Fault

func (f Faults) Error() string {
	first := fmt.Sprintf("line %d, column %d: %s", f[0].Line, f[0].Column, f[0].Reason)
	if len(f) > 1 {
		first += fmt.Sprintf(" (and %d more)", len(f)-1)
	}
	return first
}

// Text is the statement as it was written.
func (r Rule) Text() string { return r.text }

// Permits reports whether the rule permits; else it forbids.
func (r Rule) Permits() bool { return bool(r.compiled.Effect()) }

// ParseRule reads a text that is one statement. Errors: [Faults].
func ParseRule(text string) (Rule, error) {
	rules, err := ParseRules(text)
	switch {
	case err != nil:
		return Rule{}, err
	case len(rules) != 1:
		return Rule{}, Faults{{1, 1, fmt.Sprintf("must be one Cedar statement, and is %d", len(rules))}}
	}
	return rules[0], nil
}

// ParseRules reads a text of statements, in their order. Lines and columns of faults are those of the whole text. Errors:
// [Faults], of all statements at once where they can be told apart.
func ParseRules(text string) ([]Rule, error) {
	if fault, bad := checkForm(text); bad {
		return nil, Faults{fault}
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		return nil, Faults{located(err)}
	}
	parts := statements(text)
	if len(parts) != len(list) {
		return nil, Faults{{1, 1, "must be Cedar statements, each with a semicolon at its end"}}
	}
	rules, bad := make([]Rule, len(list)), Faults{}
	for i, p := range list {
		r, faults := newRule(text, parts[i], p)
		rules[i], bad = r, append(bad, faults...)
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return rules, nil
}

// newRule judges a statement of a document that has been parsed.
func newRule(document, text string, p *cedar.Policy) (Rule, Faults) {
	at := p.Position()
	var bad Faults
	fail := func(reason string) { bad = append(bad, Fault{at.Line, at.Column, reason}) }
	if len(text) > MaxRuleText {
		fail(fmt.Sprintf("is longer than %d bytes", MaxRuleText))
	}
	if err := checkTypes(p.AST()); err != nil {
		bad = append(bad, typeFaults(document, at, err)...)
	}
	if a := p.AST(); nameless(scopeOf(a.Principal)) || nameless(scopeOf(a.Resource)) {
		fail("names an entity without an id")
	}
	said, err := noticeOf(p)
	if err != nil {
		fail(err.Error())
	}
	return Rule{text, p, said, factsOf(string(p.MarshalCedar()))}, bad
}

var place = regexp.MustCompile(`parse error at \S*?(\d+):(\d+) `)

// located takes line and column out of a parser's error.
func located(err error) Fault {
	text := err.Error()
	f := Fault{1, 1, strings.TrimPrefix(text, "parser error: ")}
	if m := place.FindStringSubmatchIndex(text); m != nil {
		f.Line, _ = strconv.Atoi(text[m[2]:m[3]])
		f.Column, _ = strconv.Atoi(text[m[4]:m[5]])
		f.Reason = "at " + text[m[1]:]
	}
	return f
}

var errText = errors.New("must be valid UTF-8 without control characters")

// checkForm refuses what the parser should not be troubled with: it goes as deep as the brackets do.
func checkForm(text string) (Fault, bool) {
	if strings.TrimSpace(text) == "" {
		return Fault{1, 1, "must hold a Cedar statement"}, true
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, isControl) {
		return Fault{1, 1, errText.Error()}, true
	}
	depth, line, column := 0, 1, 0
	for r, code := range scanned(text) {
		column++
		switch {
		case r == '\n':
			line, column = line+1, 0
		case code && strings.ContainsRune("([{", r):
			depth++
		case code && strings.ContainsRune(")]}", r):
			depth--
		}
		if depth > maxDepth {
			return Fault{line, column, fmt.Sprintf("has more than %d brackets within each other", maxDepth)}, true
		}
	}
	return Fault{}, false
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f }
