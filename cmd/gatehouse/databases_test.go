package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// beside is a database of an installation, as the file of databases has it.
func beside(name string, in tenancytest.Installation) database {
	return database{Name: name, URL: secret(in.RuntimeURL), ProvisionerURL: secret(in.ProvisionerURL), Capacity: defaultCapacity, filed: true}
}

// newTenantIn makes a tenant in a named database.
func (tp *testPlatform) newTenantIn(tb testing.TB, database string) testTenant {
	tb.Helper()
	slug := "t" + strings.ToLower(rand.Text()[:12])
	a := tp.do(tb, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: map[string]any{"name": "Test", "slug": slug, "database": database}}).want(tb, 201, "")
	return testTenant{tp, a.text("id"), slug, slug + ".localhost", a.text("admin_api_key")}
}

// TestADatabaseThatIsAwayIsItsOwnTenantsTrouble: of three databases one goes and comes back, under a replica that serves and
// under one that starts.
func TestADatabaseThatIsAwayIsItsOwnTenantsTrouble(t *testing.T) {
	t.Parallel()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	third, server := tenancytest.OwnDatabase(t)
	several := func(c *config) {
		c.MoreDatabases = []database{beside("shared-2", second), beside("own-3", third)}
	}
	tp := startOn(t, in, several)
	if err := tp.checkDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	one, two, three := tp.newTenantIn(t, "shared-1"), tp.newTenantIn(t, "shared-2"), tp.newTenantIn(t, "own-3")
	emails := map[string]string{}
	for _, tt := range []testTenant{one, two, three} {
		if got := tt.tenant(t).Database; got != map[string]string{one.id: "shared-1", two.id: "shared-2", three.id: "own-3"}[tt.id] {
			t.Errorf("a tenant is in %s", got)
		}
		emails[tt.id], _ = tt.newUser(t)
		tt.login(t, emails[tt.id], goodPassword).want(t, 200, "")
		// Each database has its own jobs: mails of each are sent.
		invited := tt.slug + "@people.example"
		tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": invited, "name": "I"}}).want(t, 201, "")
		tp.mailTo(t, invited, 1)
		// And what happens to the tenant in the directory is told in its log.
		tp.do(t, request{method: "PUT", path: "/v1/tenants/" + tt.id, key: tp.platformKey, body: map[string]any{"name": "Renamed"}}).want(t, 200, "")
		eventually(t, 30*time.Second, "the new name is in the tenant's log", func() bool { return slices.Contains(tt.actions(t, nil), "tenant.updated") })
	}

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	others := func(tp *testPlatform) {
		t.Helper()
		for _, tt := range []testTenant{one, two} {
			tt.testPlatform = tp
			tt.login(t, emails[tt.id], goodPassword).want(t, 200, "")
		}
		away := three
		away.testPlatform = tp
		wantUnavailable(t, "a login where the database is away", func() answer { return away.login(t, emails[three.id], goodPassword) })
		tp.do(t, request{method: "GET", path: "/readyz"}).want(t, http.StatusOK, "")
	}
	others(tp)
	fresh := startOn(t, in, several)
	for _, replica := range []*testPlatform{tp, fresh} {
		if err := replica.checkDatabase(t.Context()); err != nil {
			t.Fatalf("a database that is away keeps the service from starting: %v", err)
		}
		replica.background.Go(func() { replica.db.Watch(t.Context(), replica.log) })
		others(replica)
	}

	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*testPlatform{tp, fresh} {
		back := three
		back.testPlatform = replica
		eventually(t, 30*time.Second, "logins work again", func() bool { return back.login(t, emails[three.id], goodPassword).status == http.StatusOK })
	}
}

// TestADatabaseThatIsNotFitToServeIsPutAside: no replica that starts reaches it, none is kept from starting, and it is used when
// it is put right.
func TestADatabaseThatIsNotFitToServeIsPutAside(t *testing.T) {
	t.Parallel()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	several := func(c *config) { c.MoreDatabases = []database{beside("shared-2", second)} }
	before := startOn(t, in, several)
	one, two := before.newTenantIn(t, "shared-1"), before.newTenantIn(t, "shared-2")
	role := userIn(t, second.RuntimeURL)
	for what, change := range map[string][2]string{
		"an unsafe role": {"alter role " + role + " inherit", "alter role " + role + " noinherit"},
		"no migration":   {"alter schema jobs rename to later", "alter schema later rename to jobs"},
	} {
		execSQL(t, second.SuperuserURL, change[0])
		fresh := startOn(t, in, several)
		one.testPlatform, two.testPlatform = fresh, fresh
		if err := fresh.checkDatabase(t.Context()); err != nil {
			t.Fatalf("%s: it keeps the service from starting: %v", what, err)
		}
		wantUnavailable(t, what, func() answer { return two.at(t, "GET", "/v1/users", request{key: two.key}) })
		one.at(t, "GET", "/v1/users", request{key: one.key}).want(t, 200, "")
		for range 2 { // of which the emptiest would have one
			if got := fresh.newTenantIn(t, "").tenant(t).Database; got != "shared-1" {
				t.Errorf("%s: a tenant is put into %s", what, got)
			}
		}
		execSQL(t, second.SuperuserURL, change[1])
		fresh.db.Watch(t.Context(), fresh.log)
		two.at(t, "GET", "/v1/users", request{key: two.key}).want(t, 200, "")
	}
}

func userIn(t *testing.T, runtimeURL string) string {
	t.Helper()
	u, err := url.Parse(runtimeURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username()
}

// TestAChangeIsHeardFromWhicheverDatabase: what one replica changes in a tenant's schema, another one remembers no longer.
func TestAChangeIsHeardFromWhicheverDatabase(t *testing.T) {
	t.Parallel()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	several := func(c *config) { c.MoreDatabases = []database{beside("shared-2", second)} }
	here, there := startOn(t, in, several), startOn(t, in, several)
	for _, name := range []string{"shared-1", "shared-2"} {
		tt := here.newTenantIn(t, name)
		email, _ := tt.newUser(t)
		elsewhere := tt
		elsewhere.testPlatform = there
		if a := elsewhere.login(t, email, goodPassword).want(t, 200, ""); a.text("token") == "" {
			t.Fatalf("no token: %s", a.body)
		}
		tt.demandMFA(t)
		eventually(t, 5*time.Second, "the other replica demands it too", func() bool {
			return elsewhere.login(t, email, goodPassword).field("enrollment_required") == true
		})
	}
}

// TestMigratePreparesEveryDatabase: from empty databases, by one script and one command.
func TestMigratePreparesEveryDatabase(t *testing.T) {
	t.Parallel()
	fresh := func() (superuser, runtime, provisioner string) {
		superuser = testenv.Database(t)
		u, err := url.Parse(superuser)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(u.Path, "/")
		u.User = url.UserPassword("serve_"+name, "one")
		runtime = u.String()
		u.User = url.UserPassword("provision_"+name, "two")
		return superuser, runtime, u.String()
	}
	super, runtime, provisioner := fresh()
	super2, runtime2, provisioner2 := fresh()
	file := filepath.Join(t.TempDir(), "databases.json")
	text, err := json.Marshal(map[string]any{"databases": []map[string]any{{"name": "shared-2", "url": runtime2, "provisioner_url": provisioner2}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"GATEHOUSE_DATABASE_URL=" + runtime, "GATEHOUSE_PROVISIONER_DATABASE_URL=" + provisioner, "GATEHOUSE_DATABASES_FILE=" + file}
	output := func(args ...string) string {
		t.Helper()
		p := launch(t, env, args...)
		if code := p.wait(); code != 0 {
			t.Fatal(p.stderr.String())
		}
		return p.stdout.String()
	}
	launch(t, env, "migrate", "roles", "shared-3").refuses(`there is no database "shared-3" in the settings`)
	applyScript(t, super, output("migrate", "roles", "shared-1"))
	launch(t, env, "migrate").refuses("database shared-2:")

	applyScript(t, super2, output("migrate", "roles", "shared-2"))
	if _, err := exec.LookPath("psql"); err == nil {
		applyScript(t, super, output("migrate", "roles")) // all of them, in one run of psql
	}
	if got := output("migrate"); !strings.Contains(got, "directory: version") || !strings.Contains(got, "database shared-2: ready") {
		t.Errorf("migrate says %s", got)
	}
	in := tenancytest.Install(t)
	in.RuntimeURL, in.ProvisionerURL = runtime, provisioner
	listen := freeListen(t)
	p := launch(t, environment(serveSettings(in, listen), "GATEHOUSE_SHUTDOWN_DELAY=0s", env[2]), "serve")
	eventually(t, 10*time.Second, "ready", func() bool { return status(t, listen, "/readyz") == http.StatusOK })
	_ = p.cmd.Process.Kill()
}

// tenantNamed is a tenant to ask for in a database.
func tenantNamed(database string) tenancy.Tenant {
	return tenancy.Tenant{Slug: tenancy.Slug("t" + strings.ToLower(rand.Text()[:12])), Name: "Test", Locale: "en", Database: database}
}
