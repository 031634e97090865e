package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A refusal says why as data: every reason, and what length would do.
func TestAWeakPasswordIsRefusedWithReasons(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, c := range []struct {
		password string
		reasons  []any
	}{
		{"vex7", []any{"too_short"}},
		{"password", []any{"too_short", "common"}},
		{"PasswordPassword", []any{"common", "repeated"}},
		{"qwertyuiop12345", []any{"common"}},
		{"zyxwvutsrqponmlkj", []any{"sequence"}},
		{"Grace.Hopper-1906!", []any{"contains_user"}},
		{tt.slug + "-2026!", []any{"contains_tenant"}},
		{tt.slug + ".localhost", []any{"contains_tenant"}},
		{"gatehouse2026!!", []any{"contains_service"}},
	} {
		body := map[string]any{"email": "grace.hopper@people.example", "name": "Grace Hopper", "password": c.password, "email_verified": true}
		a := tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users", key: tt.key, body: body}).want(t, 400, "weak_password")
		if got, _ := a.field("details.reasons").([]any); !slices.Equal(got, c.reasons) || a.field("details.min_length") != 15.0 {
			t.Errorf("%s: %s, want %v", c.password, a.body, c.reasons)
		}
		if sentence := a.text("details.fields.password"); !strings.HasPrefix(sentence, "The password ") {
			t.Errorf("%s: the sentence is %q", c.password, sentence)
		}
	}
}

// Where a second factor is demanded of everybody eight characters do, and the list holds for them as well.
func TestTheListHoldsForShorterPasswordsToo(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.demandMFA(t)
	for i, c := range []struct {
		password string
		status   int
		code     string
	}{{"sunshine", 400, "weak_password"}, {"1qaz2wsx", 400, "weak_password"}, {"kX7qWz2m", 201, ""}, {"kX7qWz2", 400, "weak_password"}} {
		body := map[string]any{"email": fmt.Sprintf("n%d@people.example", i), "name": "Nobody", "password": c.password}
		tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users", key: tt.key, body: body}).want(t, c.status, c.code)
	}
}
