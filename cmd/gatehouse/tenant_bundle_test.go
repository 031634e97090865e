package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// site is an installation with an operator at it.
type site struct {
	*testPlatform
	env []string
}

func newSite(t *testing.T, in tenancytest.Installation) site {
	t.Helper()
	tp := startOn(t, in, nil)
	s := serveSettings(in, strings.TrimPrefix(tp.url, "http://"))
	s["GATEHOUSE_DATABASE"] = "shared-1"
	return site{tp, environment(s)}
}

// elsewhere is an installation with a Vault of its own.
func elsewhere(t *testing.T) site {
	t.Helper()
	in := tenancytest.Install(t)
	in.Runtime, in.Provisioner, _ = tenancytest.OwnVault(t)
	return newSite(t, in)
}

func (s site) says(t *testing.T, args ...string) string {
	t.Helper()
	p := launch(t, s.env, append([]string{"tenant"}, args...)...)
	if code := p.wait(); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, p.stderr.String())
	}
	return p.stdout.String()
}

func (s site) refuses(t *testing.T, want string, args ...string) {
	t.Helper()
	launch(t, s.env, append([]string{"tenant"}, args...)...).refuses(want)
}

// travelling is a tenant with people of all kinds, in a bundle.
type travelling struct {
	testTenant
	person, imported, kid string
	enrolled              enrolled
	signedIn              answer
	file, identity        string
}

const foreignPassword = "what they had before"

func pack(t *testing.T, from site) travelling {
	t.Helper()
	tt := from.newTenant(t)
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "optional" })
	x := travelling{testTenant: tt, imported: "imported@people.example"}
	x.person, _ = tt.newUser(t)
	x.enrolled = tt.enrolledUser(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(foreignPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	lines := `{"email":"` + x.imported + `","name":"Back\\slash","email_verified":true,"password_hash":"` + string(hash) + `"}` + "\n"
	if got := tt.importLines(t, request{body: lines}); len(got) != 1 || got[0].Status != "created" {
		t.Fatalf("%+v", got)
	}
	x.signedIn = tt.login(t, x.person, goodPassword).want(t, 200, "")
	x.kid, _ = segment(t, x.signedIn.text("token"), 0)["kid"].(string)

	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	x.file, x.identity = filepath.Join(dir, "tenant.age"), filepath.Join(dir, "key.txt")
	if err := os.WriteFile(x.identity, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := from.says(t, "export", tt.slug, "--to", x.file, "--recipient", key.Recipient().String())
	for _, want := range []string{tt.slug + " (" + tt.id + ") of http://" + tt.host, "\n3 users, ", "signed by " + x.kid, "from now on is not in it"} {
		if !strings.Contains(said, want) {
			t.Errorf("the export says\n%swithout %q", said, want)
		}
	}
	from.refuses(t, "there is a file", "export", tt.slug, "--to", x.file, "--recipient", key.Recipient().String())
	if info, err := os.Stat(x.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	return x
}

// arrived is the tenant at the other installation.
func (x travelling) arrived(at site) testTenant {
	return testTenant{at.testPlatform, x.id, x.slug, x.slug + ".localhost", x.key}
}

// A tenant leaves for an installation with another Vault. Ids, API keys, second factors and imported passwords go along, its log holds
// from beginning to end, the keys of old tokens are told; passwords of our own are chosen anew.
func TestATenantGoesToAnotherInstallation(t *testing.T) {
	t.Parallel()
	here, there := newSite(t, tenancytest.Install(t)), elsewhere(t)
	x := pack(t, here)
	said := there.says(t, "verify-bundle", x.file, "--identity", x.identity, "--signed-by", x.kid)
	if !strings.Contains(said, "3 users") {
		t.Errorf("the bundle is said to hold\n%s", said)
	}
	there.refuses(t, "is not signed by the key that you named", "verify-bundle", x.file, "--identity", x.identity, "--signed-by", "another")
	there.refuses(t, "Say --lose-keys", "import", x.file, "--identity", x.identity)
	there.refuses(t, "is not signed by the key that you named", "import", x.file, "--identity", x.identity, "--lose-keys", "--signed-by", "another")
	here.refuses(t, "lives here already", "import", x.file, "--identity", x.identity, "--keep-keys")
	here.refuses(t, "lives here already", "import", x.file, "--identity", x.identity, "--lose-keys") // and nothing of keys

	said = there.says(t, "import", x.file, "--identity", x.identity, "--lose-keys", "--signed-by", x.kid)
	for _, want := range []string{"it lives in shared-1 now and is active", "2 people choose a password anew", "2 sessions end", "10 backup codes are gone"} {
		if !strings.Contains(said, want) {
			t.Errorf("the import says\n%swithout %q", said, want)
		}
	}
	there.refuses(t, "lives here already", "import", x.file, "--identity", x.identity, "--lose-keys")

	at := x.arrived(there)
	if keys := string(at.at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "").body); !strings.Contains(keys, x.kid) || strings.Count(keys, `"kid"`) != 2 {
		t.Errorf("verifiers are told %s", keys)
	}
	mine := at.at(t, "GET", "/v1/users?email="+x.person, request{key: x.key}).want(t, 200, "").data(t)
	if was := x.at(t, "GET", "/v1/users?email="+x.person, request{key: x.key}).want(t, 200, "").data(t); len(mine) != 1 || mine[0]["id"] != was[0]["id"] || mine[0]["created_at"] != was[0]["created_at"] {
		t.Errorf("a user was %v and is %v", was, mine)
	}
	if kid, _ := segment(t, at.login(t, x.imported, foreignPassword).want(t, 200, "").text("token"), 0)["kid"].(string); kid == x.kid || kid == "" {
		t.Errorf("tokens are signed by %s, which was left behind", kid)
	}
	at.login(t, x.person, goodPassword).want(t, 401, "invalid_credentials")
	at.refresh(t, x.signedIn.text("refresh_token")).want(t, 401, "invalid_token")

	again := person{at, x.enrolled.email, ""}
	token := again.resetToken(t)
	at.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": token, "new_password": goodPassword}}).want(t, 200, "")
	e := x.enrolled
	e.testTenant = at
	at.prove(t, e.challenge(t), "totp", e.app.code(t, 1)).want(t, 200, "")

	logOf := func(at testTenant) audit.Report {
		file, err := at.audit.Prepare(t.Context(), at.record(t), time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := file.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		report, err := audit.Verify(&b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if was, is := logOf(x.testTenant), logOf(at); is.Last <= was.Last {
		t.Errorf("the log had %d entries and has %d", was.Last, is.Last)
	}
	if n := at.count(t, "select count(*) from audit_log where action in ('tenant.exported', 'tenant.imported')"); n != 2 {
		t.Errorf("%d entries tell of the journey, want 2", n)
	}
}

// Where the installation is another and Vault the same, all goes on as if nothing had happened.
func TestATenantKeepsItsKeys(t *testing.T) {
	t.Parallel()
	here, there := newSite(t, tenancytest.Install(t)), newSite(t, tenancytest.Install(t))
	x := pack(t, here)
	there.refuses(t, "Say --keep-keys", "import", x.file, "--identity", x.identity, "--lose-keys")
	said := there.says(t, "import", x.file, "--identity", x.identity, "--keep-keys", "--suspended")
	if strings.Contains(said, "anew by mail") || !strings.Contains(said, "and is suspended") {
		t.Errorf("the import says\n%s", said)
	}
	at := x.arrived(there)
	at.login(t, x.person, goodPassword).want(t, 403, "tenant_suspended")
	there.says(t, "suspend", at.slug, "--resume")
	eventually(t, 10*time.Second, "it is active", func() bool { return at.login(t, x.person, goodPassword).status == 200 })
	at.refresh(t, x.signedIn.text("refresh_token")).want(t, 200, "")
	at.login(t, x.person, goodPassword).want(t, 200, "")
	at.login(t, x.imported, foreignPassword).want(t, 200, "")
	e := x.enrolled
	e.testTenant = at
	at.prove(t, e.challenge(t), "backup_code", e.codes[0].(string)).want(t, 200, "")
	at.prove(t, e.challenge(t), "totp", e.app.code(t, 1)).want(t, 200, "")
	if kid, _ := segment(t, at.login(t, x.person, goodPassword).want(t, 200, "").text("token"), 0)["kid"].(string); kid == x.kid {
		t.Error("there is no new signing key")
	}
	if keys := string(at.at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "").body); !strings.Contains(keys, x.kid) {
		t.Errorf("verifiers are told %s", keys)
	}
}

// Whatever is done to a file on its way, it is not taken in, and nothing is written.
func TestABundleThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	here := newSite(t, tenancytest.Install(t))
	x := pack(t, here)
	whole, err := os.ReadFile(x.file)
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(stranger, []byte(other.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	here.refuses(t, "NOT verified", "verify-bundle", x.file, "--identity", stranger)
	for _, n := range []int{0, 100, len(whole) / 2, len(whole) - 1} {
		cut := filepath.Join(t.TempDir(), "cut.age")
		if err := os.WriteFile(cut, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		here.refuses(t, "cut.age", "import", cut, "--identity", x.identity, "--keep-keys")
	}
	altered := bytes.Clone(whole)
	altered[len(altered)-300] ^= 1
	bad := filepath.Join(t.TempDir(), "altered.age")
	if err := os.WriteFile(bad, altered, 0o600); err != nil {
		t.Fatal(err)
	}
	here.refuses(t, "altered.age", "import", bad, "--identity", x.identity, "--keep-keys")
	here.refuses(t, "no import of a tenant", "import", "--discard", x.slug)
	here.refuses(t, "cannot leave it", "export", "platform", "--to", filepath.Join(t.TempDir(), "p.age"), "--recipient", other.Recipient().String())
	x.login(t, x.person, goodPassword).want(t, 200, "")
}
