package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/migrations/migrationstest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// nextRelease builds this program with one more migration of tenants: a column and an index on what logins read, and a table.
// Like the program itself it is built once for those who need it at the same time.
func nextRelease(t *testing.T) (program string) {
	t.Helper()
	dir := filepath.Dir(gatehouseBinary(t))
	built.Lock()
	defer built.Unlock()
	program = filepath.Join(dir, "gatehouse-next")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	set, err := filepath.Abs("../../migrations/tenant")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "next.sql")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(set, fmt.Sprintf("%04d_next.up.sql", migrations.LatestTenant+1)): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"overlay.json": string(overlay),
		"next.sql": "alter table users add column nickname text;\ncreate index users_nickname on users (nickname);\ncreate table notes (note text primary key);\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// upgrade is a platform of this version whose tenants the next release migrates.
type upgrade struct {
	*testPlatform
	next    string
	env     []string
	tenants []testTenant
	users   []string
}

func newUpgrade(t *testing.T, tenants int) *upgrade {
	t.Helper()
	u := &upgrade{testPlatform: startPlatform(t), next: nextRelease(t)}
	u.env = []string{"GATEHOUSE_PROVISIONER_DATABASE_URL=" + u.install.ProvisionerURL}
	for range tenants {
		tenant := u.newTenant(t)
		email, _ := tenant.newUser(t)
		u.tenants, u.users = append(u.tenants, tenant), append(u.users, email)
	}
	return u
}

// migrate runs the next release's migration.
func (u *upgrade) migrate(t *testing.T, args ...string) *program {
	t.Helper()
	return launchCommand(t, u.env, exec.Command(u.next, append([]string{"migrate"}, args...)...))
}

func (u *upgrade) schema(t *testing.T, i int) string {
	t.Helper()
	tenant, err := id.ParseTenant(u.tenants[i].id)
	if err != nil {
		t.Fatal(err)
	}
	return tenancy.Schema(tenant)
}

// hold keeps what a statement locks until release is called.
func (u *upgrade) hold(t *testing.T, sql string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), u.install.SuperuserURL)
	if err == nil {
		_, err = conn.Exec(t.Context(), "begin; "+sql)
	}
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	t.Cleanup(release)
	return release
}

// versions are how many tenants stand where, by their own account; the platform's is one of them.
func (u *upgrade) versions(t *testing.T) map[int]int {
	t.Helper()
	counts := map[int]int{}
	for _, tenant := range u.all(t) {
		counts[ask[int](t, u, "select version from "+tenancy.Schema(tenant)+".schema_migrations")]++
	}
	return counts
}

func (u *upgrade) all(t *testing.T) []id.Tenant {
	t.Helper()
	return ask[[]id.Tenant](t, u, "select array_agg(id order by id) from control.tenants")
}

func ask[T any](t *testing.T, u *upgrade, sql string) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), u.install.SuperuserURL)
	if err == nil {
		defer conn.Close(t.Context())
		err = conn.QueryRow(t.Context(), sql).Scan(&v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// While the next release migrates, this one goes on serving tenants before and after their turn, and so does the next one.
func TestTheFleetIsMigratedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t, 6)
	const last = 0 // this one's turn comes when we say so
	release := u.hold(t, "select pg_advisory_xact_lock(hashtextextended('"+u.schema(t, last)+"', 0))")

	var logins [6]atomic.Int64
	var stop atomic.Bool
	var clients sync.WaitGroup
	for i := range u.tenants {
		clients.Go(func() {
			for !stop.Load() {
				if a := u.tenants[i].login(t, u.users[i], goodPassword); a.status != http.StatusOK {
					t.Errorf("a login at tenant %d: %d %s", i, a.status, a.body)
					return
				}
				logins[i].Add(1)
			}
		})
	}
	defer clients.Wait()
	defer stop.Store(true)
	visited := func(when string) {
		t.Helper()
		var before [6]int64
		for i := range before {
			before[i] = logins[i].Load()
		}
		eventually(t, time.Minute, "logins at every tenant "+when, func() bool {
			for i := range before {
				if logins[i].Load() < before[i]+2 {
					return t.Failed()
				}
			}
			return true
		})
	}
	visited("before")
	run := u.migrate(t, "--canary", "0%")
	eventually(t, time.Minute, "all but one are migrated", func() bool { return u.versions(t)[migrations.LatestTenant+1] == 6 })
	visited("at either version")

	listen := freeListen(t)
	serving := launchCommand(t, environment(serveSettings(u.install, listen), "GATEHOUSE_SHUTDOWN_DELAY=0s"), exec.Command(u.next, "serve"))
	serving.says(`"msg":"serving"`)
	newer := *u.testPlatform
	newer.address = strings.Replace(listen, "localhost", "127.0.0.1", 1)
	for i, tenant := range u.tenants {
		tenant.testPlatform = &newer
		tenant.login(t, u.users[i], goodPassword).want(t, http.StatusOK, "")
	}

	release()
	if code := run.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, run.stderr.String())
	}
	if want := fmt.Sprintf("tenants: 7 brought to version %d in ", migrations.LatestTenant+1); !strings.Contains(run.stdout.String(), want) {
		t.Errorf("it says %q, want %q", run.stdout.String(), want)
	}
	visited("after")
	if got := u.do(t, request{method: "GET", path: "/v1/tenants/" + u.tenants[last].id, key: u.platformKey}).want(t, http.StatusOK, ""); got.field("schema_version") != float64(migrations.LatestTenant+1) {
		t.Errorf("the API says %s", got.body)
	}
}

// Killed anywhere, a run leaves each tenant before or after the migration, and the next run brings all to what an undisturbed
// run makes of them.
func TestAKilledMigrationIsTakenUp(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t, 3)
	waiting := "select count(*) > 0 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
	for _, kill := range []struct {
		step  string
		lock  string
		only  string
		moved int // tenants whose schema is at the next version then
	}{
		{"in the template of the database", "lock table tenant_template.users in access share mode", "", 0},
		{"in the transaction of a tenant", "lock table " + u.schema(t, 0) + ".users in access share mode", u.tenants[0].slug, 0},
		{"between a tenant's schema and its record", "lock table control.tenant_migrations in share mode", u.tenants[0].slug, 1},
	} {
		release := u.hold(t, kill.lock)
		run := u.migrate(t, "--lock-timeout", "50s", "--statement-timeout", "50s", "--tenant", kill.only)
		eventually(t, time.Minute, "it waits "+kill.step, func() bool { return ask[bool](t, u, waiting) })
		_ = run.cmd.Process.Kill()
		run.wait()
		// A backend that waits does not notice that nobody is there any more.
		execSQL(t, u.install.SuperuserURL, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
		release()
		if got := u.versions(t)[migrations.LatestTenant+1]; got != kill.moved {
			t.Errorf("killed %s, %d tenants are migrated, want %d", kill.step, got, kill.moved)
		}
	}

	// What the last one did is in no record yet. Two runs at once finish it.
	runs := []*program{u.migrate(t), u.migrate(t)}
	migrated := 0
	for _, run := range runs {
		if code := run.wait(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, run.stderr.String())
		}
		var n, version int
		said := regexp.MustCompile(`(?m)^tenants: .*$`).FindString(run.stdout.String())
		if _, err := fmt.Sscanf(said, "tenants: %d brought to version %d", &n, &version); err != nil {
			t.Error(err, run.stdout.String())
		}
		migrated += n
	}
	if migrated != 3 {
		t.Errorf("of four tenants, one of which was migrated before, two runs migrated %d", migrated)
	}
	if got := ask[int](t, u, fmt.Sprintf("select count(*) from control.tenants where schema_version = %d", migrations.LatestTenant+1)); got != 4 {
		t.Errorf("by their records %d tenants are at the next version, want 4", got)
	}

	undisturbed := newUpgrade(t, 1)
	if code := undisturbed.migrate(t).wait(); code != 0 {
		t.Fatal("an undisturbed run fails")
	}
	catalog := func(u *upgrade, schema string) (facts []string) {
		conn, err := pgx.Connect(t.Context(), u.install.SuperuserURL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		for _, fact := range migrationstest.Catalog(t, conn, schema) {
			facts = append(facts, strings.ReplaceAll(fact, provisionerOf(t, u), "PROVISIONER"))
		}
		return facts
	}
	want := catalog(undisturbed, undisturbed.schema(t, 0))
	for i := range u.tenants {
		migrationstest.Same(t, fmt.Sprint("tenant ", i), catalog(u, u.schema(t, i)), want)
	}
	migrationstest.Same(t, "the template", catalog(u, migrations.TemplateSchema), catalog(undisturbed, migrations.TemplateSchema))
}

func provisionerOf(t *testing.T, u *upgrade) string {
	t.Helper()
	c, err := pgx.ParseConfig(u.install.ProvisionerURL)
	if err != nil {
		t.Fatal(err)
	}
	return c.User
}

// One run goes over all databases. One that is away keeps nobody else behind, and is told.
func TestTheFleetOfSeveralDatabasesIsMigrated(t *testing.T) {
	t.Parallel()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	tp := startOn(t, in, func(c *config) { c.MoreDatabases = []database{beside("shared-2", second)} })
	here, there := tp.newTenantIn(t, "shared-1"), tp.newTenantIn(t, "shared-2")
	file := filepath.Join(t.TempDir(), "databases.json")
	write := func(provisioner string) {
		text, err := json.Marshal(map[string]any{"databases": []any{map[string]string{"name": "shared-2", "url": second.RuntimeURL, "provisioner_url": provisioner}}})
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	u := &upgrade{testPlatform: tp, next: nextRelease(t), env: []string{"GATEHOUSE_PROVISIONER_DATABASE_URL=" + in.ProvisionerURL, "GATEHOUSE_DATABASES_FILE=" + file}}
	versions := func(want ...int) {
		t.Helper()
		for i, tt := range []testTenant{here, there} {
			if got := tt.tenant(t).SchemaVersion; got != want[i] {
				t.Errorf("tenant %d is at %d, want %d", i, got, want[i])
			}
		}
	}
	write("postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	run := u.migrate(t)
	if code := run.wait(); code != 1 || !strings.Contains(run.stderr.String(), "gatehouse: database shared-2: ") ||
		!strings.Contains(run.stdout.String(), "tenants: 2 brought to version ") || !strings.Contains(run.stdout.String(), "tenants: 1 are in databases that are away\n") {
		t.Errorf("exit code %d, %s%s", code, run.stdout.String(), run.stderr.String())
	}
	versions(migrations.LatestTenant+1, migrations.LatestTenant)
	write(second.ProvisionerURL)
	run = u.migrate(t)
	if code := run.wait(); code != 0 || !strings.Contains(run.stdout.String(), "tenants: 1 brought to version ") {
		t.Errorf("exit code %d, %s%s", code, run.stdout.String(), run.stderr.String())
	}
	versions(migrations.LatestTenant+1, migrations.LatestTenant+1)
}

// What an operator reads.
func TestMigrateSaysHowTheFleetStands(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t, 2)
	says := func(pattern string, args ...string) string {
		t.Helper()
		p := u.migrate(t, args...)
		if code := p.wait(); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, p.stderr.String())
		}
		if !regexp.MustCompile(pattern).MatchString(p.stdout.String()) {
			t.Errorf("%v says\n%s, want %s", args, p.stdout.String(), pattern)
		}
		return p.stdout.String()
	}
	this, next := migrations.LatestTenant, migrations.LatestTenant+1
	execSQL(t, u.install.SuperuserURL, "create table "+u.schema(t, 1)+".notes (in_the_way int)")

	run := u.migrate(t, "--tenant", u.tenants[0].slug)
	if code := run.wait(); code != 0 || !strings.Contains(run.stderr.String(), "100 %  1 of 1 tenants, ") {
		t.Errorf("one tenant: %d, %q", code, run.stderr.String())
	}
	says(fmt.Sprintf(`^DATABASE +VERSION +TENANTS +FAILED\nshared-1 +%d +2 +0\nshared-1 +%d +1 +0\n\ntenants behind version %d: 2\n$`, this, next, next), "status")

	run = u.migrate(t, "--canary", "0%")
	if code := run.wait(); code != 1 || !strings.Contains(run.stderr.String(), "gatehouse: 1 tenants failed and are as they were; the next run tries them again") {
		t.Errorf("exit code %d, %q", code, run.stderr.String())
	}
	failure := fmt.Sprintf(`\n%s +shared-1 +%d +failed +.*%04d_next: ERROR: relation "notes" already exists`, u.tenants[1].slug, this, next)
	if !regexp.MustCompile(`\nSLUG +DATABASE +VERSION +STATE +ERROR` + failure).MatchString(run.stdout.String()) {
		t.Errorf("it says %s", run.stdout.String())
	}
	says(`\ntenants behind version \d+: 1\n\nSLUG +DATABASE +VERSION +STATE +LAST TRIED +ERROR`+failure, "status")
	var status struct {
		Version  int
		Counts   []struct{ Database string }
		Failures []struct {
			Slug        string
			AttemptedAt time.Time `json:"attempted_at"`
		}
	}
	if err := json.Unmarshal([]byte(says(`.`, "status", "--json")), &status); err != nil || status.Version != next || len(status.Counts) != 2 || len(status.Failures) != 1 ||
		status.Failures[0].Slug != u.tenants[1].slug || time.Since(status.Failures[0].AttemptedAt).Abs() > time.Hour {
		t.Errorf("%v, %+v", err, status)
	}
	for want, args := range map[string][]string{
		`--canary must be a percentage from 0% to 100%`:     {"--canary", "1"},
		`--halt must be a percentage from 0% to 100%`:       {"--halt", "101%"},
		`--workers must be from 1 to 64`:                    {"--workers", "0"},
		`there is no tenant "nobody-here"`:                  {"--tenant", "nobody-here"},
		`--lock-timeout and --statement-timeout must be at`: {"--lock-timeout", "0s"},
		`--tenant "no" must be 3 to 40 characters`:          {"--tenant", "no"},
	} {
		launch(t, u.env, append([]string{"migrate"}, args...)...).refuses(want)
	}
}
