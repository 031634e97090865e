package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// Operators' commands, as they are typed: the tenants, users and keys they make are there, refusals are one sentence, and
// nothing is printed that is secret but what is made to be shown once.
func TestOperatorsCommands(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	env := environment(serveSettings(in, "localhost:1"))
	var said strings.Builder
	command := func(input string, args ...string) *program {
		cmd := exec.Command(gatehouseBinary(t), args...)
		cmd.Stdin = strings.NewReader(input)
		return launchCommand(t, env, cmd)
	}
	// runs wants success, and what is said to match.
	runs := func(pattern, input string, args ...string) []string {
		t.Helper()
		p := command(input, args...)
		if code := p.wait(); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, p.stderr.String())
		}
		said.WriteString(p.stdout.String() + p.stderr.String())
		found := regexp.MustCompile(pattern).FindStringSubmatch(p.stdout.String())
		if found == nil {
			t.Fatalf("%v says\n%s, want %s", args, p.stdout.String(), pattern)
		}
		return found
	}
	refuses := func(want, input string, args ...string) {
		t.Helper()
		p := command(input, args...)
		p.refuses(want)
		if p.stdout.String() != "" {
			t.Errorf("%v: refused, and says %q", args, p.stdout.String())
		}
		said.WriteString(p.stderr.String())
	}
	const good = "correct horse battery staple"

	const id = `[0-9a-f]{8}-[0-9a-f-]{27}`
	made := runs(`(?s)^id +`+id+`\nissuer +http://initech\.localhost:1\nadmin_api_key +(ghk_\S+)\n$`, "",
		"tenant", "create", "initech", "--name", "Initech", "--owner-email", "Bill@Initech.example", "--owner-name", "Bill", "--algorithm", "EdDSA")
	refuses("this slug is taken", "", "tenant", "create", "initech")
	refuses(`slug "in" must be 3 to 40 characters`, "", "tenant", "create", "in")
	refuses(`slug "admin" is reserved`, "", "tenant", "create", "admin")
	refuses("owner-email must be an e-mail address", "", "tenant", "create", "other", "--owner-email", "nobody")
	refuses(`database "shared-2" is not one of the databases here: shared-1`, "", "tenant", "create", "other", "--database", "shared-2")
	refuses(`algorithm "none" must be`, "", "tenant", "create", "other", "--algorithm", "none")
	refuses("name must not hold control characters", "", "tenant", "create", "other", "--name", "a\nb")
	refuses("wanted is: gatehouse tenant create SLUG", "", "tenant", "create")
	runs(`admin_api_key +ghk_\S+\n$`, "", "tenant", "create", "platform")
	refuses("this slug is taken", "", "tenant", "create", "platform")
	refuses("the platform tenant cannot be suspended", "", "tenant", "suspend", "platform")
	runs(`(?m)^initech +active +initech\.localhost +shared-1 +\d+ +`+id+`$`, "", "tenant", "list")
	if got := runs(`(?s).*`, "", "tenant", "list")[0]; strings.Contains(got, "other") {
		t.Errorf("a tenant that was refused is there:\n%s", got)
	}
	runs(`(?s)name +Initech\n.*owner +bill@initech\.example\nalgorithm +EdDSA\n`, "", "tenant", "show", "initech")
	for _, args := range [][]string{{"tenant", "show"}, {"tenant", "suspend"}, {"user", "list"}, {"key", "create"}} {
		refuses(`there is no tenant "nobody-here"`, "", append(args, "nobody-here")...)
	}
	runs(`^initech is suspended\n$`, "", "tenant", "suspend", "initech")
	runs(`(?m)^initech +suspended `, "", "tenant", "list")
	runs(`^initech is active\n$`, "", "tenant", "suspend", "initech", "--resume")
	runs(`^initech is now initrode\nissuer  http://initech\.localhost:1\n$`, "", "tenant", "rename", "initech", "initrode")
	runs(`^initech is initrode already\n$`, "", "tenant", "rename", "initech", "initrode")
	refuses(`there is no tenant "initech"`, "", "tenant", "show", "initech")
	refuses("this slug is taken", "", "tenant", "create", "initech")
	runs(`^initrode is now initech\n`, "", "tenant", "rename", "initrode", "initech")
	refuses("the platform tenant cannot be deleted", "", "tenant", "delete", "platform", "--yes")
	deletesTenants(t, in, runs, refuses)
	refuses("the platform tenant cannot be renamed", "", "tenant", "rename", "platform", "landing")
	refuses(`slug "admin" is reserved`, "", "tenant", "rename", "initech", "admin")

	runs(`^`+id+`\n$`, good+"\n", "user", "create", "initech", "peter@initech.example", "--name", "Peter", "--roles", "admin", "--verified", "--password")
	refuses("there is a user with this e-mail address", "", "user", "create", "initech", "Peter@Initech.example")
	refuses("the password must have at least 15 characters", "password\n", "user", "create", "initech", "weak@initech.example", "--password")
	refuses("no password on standard input", "", "user", "create", "initech", "none@initech.example", "--password")
	refuses("address must be an e-mail address", "", "user", "create", "initech", "nobody")
	refuses(`gatehouse: database "nowhere" is not one of the databases here: `, "", "tenant", "create", "astray", "--database", "nowhere")
	refuses("roles must hold roles from", "", "user", "create", "initech", "king@initech.example", "--roles", "king")
	runs(`^peter@initech.example is suspended\n$`, "", "user", "suspend", "initech", "peter@initech.example")
	runs(`(?m)^peter@initech\.example +Peter +admin +false +true +`+id+`$`, "", "user", "list", "initech")
	runs(`^peter@initech.example is active\n$`, "", "user", "suspend", "initech", "peter@initech.example", "--resume")
	refuses("initech has no user nobody@initech.example", "", "user", "suspend", "initech", "nobody@initech.example")
	refuses("the owner of the tenant can be changed by nobody else", "", "user", "suspend", "initech", "bill@initech.example")
	if got := runs(`(?s).*`, "", "user", "list", "initech")[0]; strings.Count(got, "@") != 2 {
		t.Errorf("want two users:\n%s", got)
	}

	ownerGetsAPassword(t, in, runs, refuses)
	keysAreRotated(t, runs, refuses)

	key := runs(`^(ghk_\S+)\n$`, "", "key", "create", "initech", "--scopes", "users:read,users:write")
	refuses("scopes must hold", "", "key", "create", "initech", "--scopes", "everything")

	text := said.String()
	for name, hidden := range map[string]string{"password": good, "serving role": passwordIn(t, in.RuntimeURL), "provisioning role": passwordIn(t, in.ProvisionerURL),
		"secret id": string(in.Runtime.Login.SecretID), "provisioning secret id": string(in.Provisioner.Login.SecretID)} {
		if strings.Contains(text, hidden) {
			t.Errorf("the %s was printed", name)
		}
	}
	for _, once := range []string{made[1], key[1]} {
		if strings.Count(text, once) != 1 {
			t.Error("a key was printed more than once")
		}
	}

	if strings.Contains(text, "logged in") {
		t.Errorf("a command tells what nobody asked:\n%s", text)
	}
	down := environment(serveSettings(in, "localhost:1"), "GATEHOUSE_DATABASE_URL=postgres://a:hidden@127.0.0.1:1/x?sslmode=disable",
		"GATEHOUSE_PROVISIONER_DATABASE_URL=postgres://b:hidden@127.0.0.1:1/x?sslmode=disable")
	launch(t, down, "tenant", "list").refuses("connection refused")
	launch(t, append(down, "GATEHOUSE_REGION="+devRegion), "tenant", "list").refuses("is make dev running")
}

// The owner that `tenant create` made has no password; `user password` gives one, and replaces it.
func ownerGetsAPassword(t *testing.T, in tenancytest.Installation, runs func(pattern, input string, args ...string) []string, refuses func(want, input string, args ...string)) {
	t.Helper()
	const first, second = "correct horse battery staple", "incorrect donkey battery staple"
	const bill = "bill@initech.example"
	initech := testTenant{testPlatform: startOn(t, in, nil), host: "initech.localhost"}
	profile := func(token string) answer {
		return initech.do(t, request{method: "GET", host: initech.host, path: "/v1/users/me/profile", bearer: token})
	}
	initech.login(t, bill, first).want(t, 401, "invalid_credentials")
	refuses("no password on standard input", "", "user", "password", "initech", bill)
	refuses("initech has no user nobody@initech.example", first+"\n", "user", "password", "initech", "nobody@initech.example")
	runs(`^bill@initech\.example has a new password and no session\nthe address is not verified`, first+"\n", "user", "password", "initech", bill)
	initech.login(t, bill, first).want(t, 403, "email_not_verified")
	runs(`^bill@initech\.example has a new password and no session\n$`, first+"\n", "user", "password", "initech", bill, "--verified")
	token := initech.login(t, bill, first).want(t, 200, "").text("token")
	profile(token).want(t, 200, "")

	refuses("gatehouse: the password must have at least 15 characters", "password\n", "user", "password", "initech", bill)
	profile(token).want(t, 200, "")
	runs(`new password`, second+"\n", "user", "password", "initech", "Bill@Initech.example")
	if a := profile(token); a.status != 401 {
		t.Errorf("the old session: %d %s", a.status, a.body)
	}
	initech.login(t, bill, first).want(t, 401, "invalid_credentials")
	initech.login(t, bill, second).want(t, 200, "")

	initech.fail(t, bill)
	runs(`^bill@initech\.example can sign in again\n$`, "", "user", "unlock", "initech", bill)
	for range 5 {
		initech.login(t, bill, first).want(t, 401, "invalid_credentials")
	}
	initech.login(t, bill, second).want(t, 200, "")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "--version")
	if code := p.wait(); code != 0 || !regexp.MustCompile(`^gatehouse \S+ go1\.\S+\n$`).MatchString(p.stdout.String()) {
		t.Errorf("exit code %d: %q", code, p.stdout.String())
	}
}
