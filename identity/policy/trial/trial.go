// Package trial runs the tests that a tenant writes for its own policies, so that a change of them can be tried where
// other changes are: in the pipeline that brings them.
//
// A suite is a YAML file: rules, or the names of files with rules, and tests, each of which is a question and what is to come
// of it. Nothing is asked of a server.
package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Suite is some rules and the tests of them.
type Suite struct {
	Rules    string   `yaml:"rules"`    // in Cedar
	Policies []string `yaml:"policies"` // files of more rules, beside the suite's own
	Defaults *bool    `yaml:"defaults"` // whether the default policy holds besides; nil: yes
	Tests    []Test   `yaml:"tests"`

	set *policy.Set
}

// Parse reads a suite and the files it names from where it lies. Errors say which file, and of rules which line.
func Parse(text []byte, beside fs.FS) (*Suite, error) {
	s := &Suite{}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	if len(s.Tests) == 0 {
		return nil, errors.New("trial: there are no tests")
	}
	var all []policy.Named
	add := func(name, text string) error {
		rules, err := policy.ParseRules(text)
		for _, r := range rules {
			all = append(all, policy.Named{Policy: id.NewPolicy(), ID: id.NewRule(), Rule: r})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	if s.Defaults == nil || *s.Defaults {
		if err := add("the default policy", policy.DefaultRules); err != nil {
			return nil, err
		}
	}
	for _, name := range s.Policies {
		text, err := fs.ReadFile(beside, name)
		if err != nil {
			return nil, err
		}
		if err := add(name, string(text)); err != nil {
			return nil, err
		}
	}
	if s.Rules != "" {
		if err := add("rules", s.Rules); err != nil {
			return nil, err
		}
	}
	s.set = policy.Compile(all)
	return s, nil
}

// Result is how a test went.
type Result struct {
	Name   string
	Failed []string // what was otherwise than wanted; none: it passed
}

// Run runs all tests.
func (s *Suite) Run() []Result {
	results := make([]Result, len(s.Tests))
	for i, t := range s.Tests {
		results[i] = Result{Name: t.Name, Failed: t.run(s.set)}
		if t.Name == "" {
			results[i].Name = fmt.Sprintf("test %d", i+1)
		}
	}
	return results
}

var allMethods = []string{"totp", "webauthn_passkey", "webauthn_fido"}

func (t Test) run(set *policy.Set) (failed []string) {
	q, err := t.question()
	if err != nil {
		return []string{err.Error()}
	}
	got, methods, v := set.Outcome(q, allMethods)
	if got != t.Want {
		failed = append(failed, fmt.Sprintf("the outcome is %s, not %s%s", got, t.Want, because(v)))
	}
	if t.Methods != nil && !slices.Equal(slices.Sorted(slices.Values(methods)), slices.Sorted(slices.Values(t.Methods))) {
		failed = append(failed, fmt.Sprintf("the methods are %q, not %q", methods, t.Methods))
	}
	if notices := v.Notices(t.Locale); t.Notices != nil && !slices.Equal(notices, t.Notices) {
		failed = append(failed, fmt.Sprintf("the notices are %q, not %q", notices, t.Notices))
	}
	return failed
}

// because names the rules that decided.
func because(v policy.Verdict) string {
	var why []string
	for _, f := range v.Failed {
		why = append(why, fmt.Sprintf("%s: %s", oneLine(f.Rule.Rule.Text()), f.Reason))
	}
	for _, r := range v.Determining {
		why = append(why, oneLine(r.Rule.Text()))
	}
	if len(why) == 0 {
		return ": nothing permits it"
	}
	return ", because of " + strings.Join(why, " and of ")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
