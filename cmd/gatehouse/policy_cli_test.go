package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// What an operator does about policies at the command line.
func TestOperatorsCommandsOnPolicies(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	env := environment(serveSettings(in, "localhost:1"))
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		p := launchCommand(t, env, exec.Command(gatehouseBinary(t), args...))
		if code := p.wait(); code != want {
			t.Fatalf("%v: exit code %d: %s%s", args, code, p.stdout.String(), p.stderr.String())
		}
		return p.stdout.String(), p.stderr.String()
	}
	run(0, "tenant", "create", "initech")
	if out, _ := run(0, "policy", "list", "initech"); !strings.Contains(out, "00000000-0000-7000-8000-000000000001  Default  enforce  0") {
		t.Errorf("the list says %q", out)
	}
	draft := file("office.cedar", officeOnly)
	if out, _ := run(0, "policy", "rehearse", "initech", draft, "--days", "7"); !strings.HasPrefix(out, "0 logins from ") {
		t.Errorf("a rehearsal says %q", out)
	}
	if _, err := run(1, "policy", "rehearse", "initech", file("bad.cedar", "permit (principal, action, resource);\npermit")); !strings.Contains(err, "bad.cedar: line 2, column 7") {
		t.Errorf("of what is no Cedar it says %q", err)
	}
	const suite = "policies: [office.cedar]\ntests:\n  - {name: at home, want: deny, user: {factors: [totp]}}\n  - {name: at work, ip: 127.0.9.1, want: permit}\n"
	if out, _ := run(0, "policy", "test", file("good.yaml", suite)); out != "ok     at home\nok     at work\n" {
		t.Errorf("tests that pass say %q", out)
	}
	if out, err := run(1, "policy", "test", file("bad.yaml", strings.Replace(suite, "deny", "permit", 1))); !strings.Contains(out, "FAILED at home\n       the outcome is deny, not permit, because of @notice") || !strings.Contains(err, "1 of 2 tests failed") {
		t.Errorf("tests that fail say %q and %q", out, err)
	}
	if out, _ := run(0, "policy", "reset", "initech"); !strings.HasPrefix(out, "The default policy of initech holds and no other") {
		t.Errorf("reset says %q", out)
	}
}
