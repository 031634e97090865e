package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The tour of the README is pasted line by line into a shell, as a newcomer would, and every answer is looked at.
func TestTheTourOfTheREADMEWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the tour needs curl: install it")
	}
	state := stateFolder(t)
	dev, _ := startDev(t, state)
	defer dev.stop(syscall.SIGTERM, state)

	lines := tour(t)
	script := "set -e\n"
	for i, line := range lines {
		line = strings.ReplaceAll(line, ". .dev/env", ". "+filepath.Join(state, "env"))
		line = strings.ReplaceAll(line, "bin/gatehouse", gatehouseBinary(t))
		line = strings.ReplaceAll(line, "docs/", "../../docs/")
		script += fmt.Sprintf("echo '@@%d'\n%s\necho\n", i, line)
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	answers := strings.Split(string(out), "@@")[1:]
	if len(answers) != len(lines) {
		t.Fatalf("%d answers to %d lines:\n%s", len(answers), len(lines), out)
	}
	seen := 0
	for i, line := range lines {
		for _, want := range tourAnswers {
			if strings.HasPrefix(line, want.line) && strings.Contains(line, want.with) {
				seen++
				if !strings.Contains(answers[i], want.answer) {
					t.Errorf("%s\nanswered %s\nwant in it: %s", line, answers[i], want.answer)
				}
				break
			}
		}
	}
	if seen != len(lines) {
		t.Errorf("%d of %d lines have an answer to look for", seen, len(lines))
	}
}

// tourAnswers says what is to be seen in the answer to a line that begins so and holds with.
var tourAnswers = []struct{ line, with, answer string }{
	{". ", "env", ""},
	{"curl", "$ACME_TOTP_EMAIL", `"notices":["Please sign in from the office, or with a passkey."]`},
	{"curl", "$ACME/v1/policies/$POLICY", "204"},
	{"POLICY=", "", ""},
	{"curl", "$ACME/v1/auth/login", `"token":"`}, // Ada, and later Eve and Mia
	{"TOKEN=", "", ""},
	{"curl", "$ACME/v1/users/me/profile", `"email":"ada@acme.example"`},
	{"REFRESH=", "", ""},
	{"NEXT=", "", ""},
	{"curl", "$ACME/v1/users/me/sessions", `"current":true`},
	{"curl", "$ACME/v1/auth/logout", "204"},
	{"curl", "$SHARED/v1/auth/login", `"token":"`},
	{"curl", "openid-configuration", `"jwks_uri"`},
	{"curl", "jwks.json", `"kty":"EC"`},
	{"curl", "$GLOBEX/v1/users/me/profile", `"tenant_mismatch"`},
	{"curl", "$GLOBEX/v1/auth/login", `"invalid_credentials"`},
	{"curl", "DELETE $ACME/v1/users/$MIA", "204"},
	{"curl", "$ACME/v1/users", `"email":"eve@acme.example"`},
	{"MIA=", "", ""},
	{"token()", "", ""},
	{"curl", "set-initial-password", "Your password is set."},
	{"curl", "request-password-reset", "a mail is on its way"},
	{"curl", "reset-password", "Your password is changed."},
	{"DOMAIN=", "", ""},
	{"curl", "/verify", `"verified":true`},
	{"curl", "/v1/auth/providers", `"tenant_id"`},
	{"C=", "", ""},
	{"curl", "/v1/auth/mfa/challenge", `"token":"`},
	{"curl", "/v1/auth/passkey/begin", `"userVerification":"required"`},
	{"curl", "/v1/tenants", `"slug":"initech"`},
	{"bin/gatehouse", "tenant list", "initech"},
	{"bin/gatehouse", "user list", "eve@acme.example"},
}

// tour is the commands of the README's tour: what is indented.
func tour(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## A tour")
	if !ok {
		t.Fatal("README.md has no tour")
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	for line := range strings.SplitSeq(section, "\n") {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, code)
		}
	}
	return lines
}
