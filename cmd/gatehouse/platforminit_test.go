package main

import (
	"os/exec"
	"regexp"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// An installation begins with a command and ends with somebody signed in who may make tenants; nobody had a password before
// they chose one.
func TestAnInstallationBeginsWithACodeThatWorksOnce(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	env := environment(serveSettings(in, "localhost:1"))
	initialise := func(email string) *program {
		p := launchCommand(t, env, exec.Command(gatehouseBinary(t), "platform", "init", "--email", email))
		return p
	}
	const email = "root@platform.example"
	code := func() string {
		t.Helper()
		p := initialise(email)
		if exit := p.wait(); exit != 0 {
			t.Fatalf("exit code %d: %s", exit, p.stderr.String())
		}
		found := regexp.MustCompile(`(?m)^administrator +root@platform\.example\ncode +(ghl_\S+)\nvalid until +\S+Z$`).FindStringSubmatch(p.stdout.String())
		if found == nil {
			t.Fatalf("it says\n%s", p.stdout.String())
		}
		return found[1]
	}
	first := initialise("Root@Platform.example")
	if first.wait(); !regexp.MustCompile(`(?m)^admin_api_key +ghk_\S+\nadministrator +root@platform\.example\ncode +ghl_\S+$`).MatchString(first.stdout.String()) {
		t.Fatalf("it says\n%s%s", first.stdout.String(), first.stderr.String())
	}
	lost, kept := code(), code()
	initialise("nobody").refuses("address must be an e-mail address")

	tp := startOn(t, in, nil)
	platform := tp.platformTenant(t)
	set := func(code string) answer {
		return platform.at(t, "POST", "/v1/auth/set-initial-password", request{body: jsonBody{"token": code, "password": betterPassword}})
	}
	platform.login(t, email, betterPassword).want(t, 401, "invalid_credentials")
	set(lost).want(t, 400, "invalid_token")
	answers := make([]answer, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = set(kept) })
	}
	all.Wait()
	won := 0
	for _, a := range answers {
		switch {
		case a.status == 200:
			won++
		case a.text("code") != "invalid_token" && a.status != 503:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if won != 1 {
		t.Fatalf("the code worked %d times", won)
	}
	set(kept).want(t, 400, "invalid_token")
	token := platform.login(t, email, betterPassword).want(t, 200, "").text("token")
	tp.do(t, request{method: "POST", path: "/v1/tenants", bearer: token, body: map[string]any{"name": "First", "slug": uniqueName()}}).want(t, 201, "")
	initialise(email).refuses("root@platform.example has a password already")

	// Another administrator begins the same way; somebody who is none does not become one by it.
	second := initialise("second@platform.example")
	if second.wait() != 0 {
		t.Fatal(second.stderr.String())
	}
	if a := platform.at(t, "GET", "/v1/users?email=second@platform.example", request{bearer: token}).data(t); len(a) != 1 || a[0]["is_owner"] != false || a[0]["email_verified"] != false {
		t.Errorf("the second: %v", a)
	}
	mere, _ := platform.newUser(t)
	initialise(mere).refuses("is there and is no administrator")
	last := regexp.MustCompile(`(?m)^code +(\S+)$`).FindStringSubmatch(second.stdout.String())[1]
	platform.exec(t, `update links set expires_at = now() where hash = sha256(convert_to($1, 'UTF8'))`, last)
	set(last).want(t, 400, "invalid_token")
	if n := platform.count(t, `select count(*) from links l where l::text like '%' || $1 || '%'`, last); n != 0 {
		t.Error("a code is stored")
	}
}
