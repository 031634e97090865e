package main

import (
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

const breachedPassword = "vexing quartz pelican 7"

// buildFilter makes a filter with the program, as an operator would.
func buildFilter(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list, out := filepath.Join(dir, "hashes.txt"), filepath.Join(dir, "filter")
	lines := ""
	for i, pw := range []string{breachedPassword, "another", "a third"} {
		lines += fmt.Sprintf("%X:%d\n", sha1.Sum([]byte(pw)), i+1)
	}
	if err := os.WriteFile(list, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchCommand(t, nil, exec.Command(gatehouseBinary(t), "passwords", "build-filter", "--in", list, "--out", out, "--rate", "0.000001"))
	if code := p.wait(); code != 0 || p.stdout.String() != "3 hashes\n" || !strings.Contains(p.stderr.String(), "100 %\n") {
		t.Fatalf("exit code %d: %s %s", code, p.stdout.String(), p.stderr.String())
	}
	launchCommand(t, nil, exec.Command(gatehouseBinary(t), "passwords", "build-filter", "--in", list)).refuses("wanted is")
	launchCommand(t, nil, exec.Command(gatehouseBinary(t), "passwords", "build-filter", "--in", list, "--out", out, "--rate", "1")).refuses("rate of false alarms")
	return out
}

// A password that was found in a breach is refused, by whichever way it comes; a filter that is required and broken keeps
// the server from starting, one that is not does not.
func TestBreachedPasswordsAreRefusedByTheOperatorsFilter(t *testing.T) {
	t.Parallel()
	filter, in := buildFilter(t), tenancytest.Install(t)
	tt := startOn(t, in, func(c *config) { c.BreachFilter, c.BreachFilterRequired = filter, true }).newTenant(t)
	create := func(tt testTenant, name, pw string) answer {
		body := map[string]any{"email": name + "@people.example", "name": "Somebody", "password": pw, "email_verified": true}
		return tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users", key: tt.key, body: body})
	}
	if a := create(tt, "a", breachedPassword).want(t, 400, "weak_password"); fmt.Sprint(a.field("details.reasons")) != "[breached]" {
		t.Errorf("%s", a.body)
	}
	create(tt, "a", breachedPassword+"!").want(t, 201, "")

	if err := os.Truncate(filter, 70); err != nil { // under the server's feet
		t.Fatal(err)
	}
	create(tt, "b", breachedPassword+"?").want(t, 503, "unavailable")
	tt.login(t, "a@people.example", breachedPassword+"!").want(t, 200, "")

	settings := append(environment(serveSettings(in, "localhost:1")), "GATEHOUSE_BREACH_FILTER="+filter, "GATEHOUSE_BREACH_FILTER_REQUIRED=true")
	launch(t, settings, "tenant", "list").refuses("GATEHOUSE_BREACH_FILTER: " + filter)
	launch(t, append(settings, "GATEHOUSE_BREACH_FILTER="+filter+".none"), "tenant", "list").refuses("no such file")

	lax := startOn(t, in, func(c *config) { c.BreachFilter = filter }).newTenant(t)
	create(lax, "a", breachedPassword).want(t, 201, "")
	if !strings.Contains(lax.logs.String(), "breach filter cannot be used") {
		t.Error("nothing is logged of a filter that cannot be used")
	}
}
