package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// What an operator brings in can be given out again: export is import the other way round, and hashes go out sealed or not
// at all.
func TestOperatorsImportAndExport(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	env := environment(serveSettings(in, "localhost:1"))
	command := func(args ...string) *program {
		return launchCommand(t, env, exec.Command(gatehouseBinary(t), args...))
	}
	runs := func(args ...string) (stdout, stderr string) {
		t.Helper()
		p := command(args...)
		if code := p.wait(); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, p.stderr.String())
		}
		return p.stdout.String(), p.stderr.String()
	}
	runs("tenant", "create", "initech")
	runs("tenant", "create", "initrode")

	const ssha = "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr" // testing123
	var lines strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&lines, `{"email":"n%04d@people.example","name":"Number <%d>","email_verified":true,"password_hash":%q}`+"\n", i, i, ssha)
	}
	file := filepath.Join(t.TempDir(), "users.ndjson")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(lines.String() + "{}\n")
	p := command("user", "import", "initech", file)
	if code := p.wait(); code != 1 || !strings.HasSuffix(p.stderr.String(), "gatehouse: 1 of 1201 lines were refused\n") {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	if out := p.stdout.String(); !strings.HasPrefix(out, "line 1201: email must be an e-mail address; name ") || !strings.HasSuffix(out, "\n1200 created, 0 exist already, 1 refused\n") {
		t.Errorf("says %q", out)
	}
	if !strings.Contains(p.stderr.String(), "100 %\n") || strings.Contains(p.stderr.String(), "\r") {
		t.Errorf("what is no terminal is shown %q", p.stderr.String())
	}
	write(lines.String())
	if out, _ := runs("user", "import", "initech", file); out != "0 created, 1200 exist already, 0 refused\n" {
		t.Errorf("again: %s", out)
	}
	command("user", "import", "initech", file+".none").refuses("no such file")

	plain, _ := runs("user", "export", "initech")
	if strings.Count(plain, "\n") != 1200 || strings.Contains(plain, "SSHA") || strings.Contains(plain, "password_hash") || !strings.Contains(plain, `"name":"Number <7>"`) {
		t.Errorf("%.300s", plain)
	}
	p = command("user", "export", "initech", "--hashes")
	if p.refuses("written sealed only"); p.stdout.String() != "" {
		t.Error("hashes were written unsealed")
	}
	command("user", "export", "initech", "--hashes", "--recipient", "age1nobody").refuses("is no age public key")

	whole := exportSealed(t, runs, "initech")
	if whole != lines.String() {
		t.Errorf("what was exported is not what was imported: %.300s", whole)
	}
	write(whole)
	runs("user", "import", "initrode", file)
	tp := startOn(t, in, nil)
	initrode := testTenant{testPlatform: tp, host: "initrode.localhost"}
	initrode.login(t, "n0007@people.example", "testing123").want(t, 200, "")

	// Now the hash is one of ours, which nobody else can verify.
	p = command("user", "export", "initrode", "--hashes", "--recipient", newAgeKey(t).Recipient().String())
	if code := p.wait(); code != 0 || !regexp.MustCompile(`(?m)^1 users have a password hash that verifies nowhere but here`).MatchString(p.stderr.String()) {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
}

func newAgeKey(t *testing.T) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func exportSealed(t *testing.T, runs func(...string) (string, string), slug string) string {
	t.Helper()
	key := newAgeKey(t)
	out, _ := runs("user", "export", slug, "--hashes", "--recipient", key.Recipient().String())
	if strings.Contains(out, "people.example") {
		t.Error("the output is not sealed")
	}
	opened, err := age.Decrypt(bytes.NewReader([]byte(out)), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(opened)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
