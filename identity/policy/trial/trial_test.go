package trial

import (
	"strings"
	"testing"
	"testing/fstest"
)

const suite = `
policies: [office.cedar]
tests:
  - {name: at the office, want: permit}
  - {name: elsewhere, ip: 198.51.100.1, want: deny, notices: [From the office.]}
  - {name: auf Deutsch, ip: 198.51.100.1, locale: de, want: deny, notices: [Vom Büro aus.]}
  - {name: with a key, ip: 198.51.100.1, user: {factors: [totp, webauthn_fido]}, want: challenge, methods: [webauthn_fido]}
  - {name: who administers, user: {roles: [admin]}, action: call_api, operation: GET /v1/users, want: permit}
`

var office = fstest.MapFS{"office.cedar": {Data: []byte(`@notice("From the office.") @notice_de("Vom Büro aus.")
forbid (principal, action == Action::"login", resource) unless { context.ip.isInRange(ip("203.0.113.0/24")) || context.amr.contains("hwk") };
forbid (principal, action == Action::"enroll_factor", resource);`)}}

func TestASuiteThatPasses(t *testing.T) {
	s, err := Parse([]byte(suite), office)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Run() {
		if len(r.Failed) > 0 {
			t.Errorf("%s: %q", r.Name, r.Failed)
		}
	}
}

func TestATestThatFailsSaysWhy(t *testing.T) {
	s, err := Parse([]byte(strings.Replace(suite, "want: permit", "want: deny", 1)), office)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Run()[0]
	if len(r.Failed) != 1 || !strings.Contains(r.Failed[0], "is permit, not deny, because of // Everybody") {
		t.Errorf("%q", r.Failed)
	}
}

func TestWhatIsNoSuite(t *testing.T) {
	for text, want := range map[string]string{
		"tests: []":                                             "no tests",
		"tests: [{name: x, wants: permit}]":                     "wants",
		"policies: [x.cedar]\ntests: [{want: permit}]":          "x.cedar",
		"rules: permit\ntests: [{want: permit}]":                "rules: line 1",
		"policies: [../up.cedar]\ntests: [{want: permit}]":      "../up.cedar",
		"rules: 'permit (p, a, r);'\ntests: [{want: permit}]\n": "rules: line 1",
	} {
		if _, err := Parse([]byte(text), office); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	s, err := Parse([]byte("tests: [{want: perhaps}, {want: deny, action: fly}, {want: deny, ip: nowhere}]"), office)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Run() {
		if len(r.Failed) != 1 {
			t.Errorf("%s: %q", r.Name, r.Failed)
		}
	}
}
