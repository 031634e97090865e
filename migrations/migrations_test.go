package migrations

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	pgxmigrate "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/migrations/migrationstest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// site is a database of the test's own with both roles, not yet migrated.
type site struct {
	super       string
	provisioner string
	runtime     string
	roles       Roles
}

func newSite(t *testing.T) site {
	t.Helper()
	super := testenv.Database(t)
	suffix := "_" + strings.ToLower(rand.Text()[:10])
	s := site{super: super, roles: Roles{Database: databaseOf(t, super), Runtime: "runtime" + suffix, RuntimePassword: rand.Text(),
		Provisioner: "provisioner" + suffix, ProvisionerPassword: rand.Text()}}
	check(t, ApplyRoles(t.Context(), super, s.roles))
	s.provisioner = as(t, super, s.roles.Provisioner, s.roles.ProvisionerPassword)
	s.runtime = as(t, super, s.roles.Runtime, s.roles.RuntimePassword)
	return s
}

func databaseOf(t *testing.T, to string) string {
	t.Helper()
	u, err := url.Parse(to)
	check(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// as is the same server and database for another role.
func as(t *testing.T, to, role, password string) string {
	t.Helper()
	u, err := url.Parse(to)
	check(t, err)
	u.User = url.UserPassword(role, password)
	return u.String()
}

func connect(t *testing.T, to string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), to)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// relationsOf are the names of what a schema holds.
func relationsOf(t *testing.T, conn *pgx.Conn, schema string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1
		union all select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1`, schema)
	check(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return names
}

// stepwise is golang-migrate itself on one set and schema, as an operator with its command would have it.
func stepwise(t *testing.T, to, schema, set string) *migrate.Migrate {
	t.Helper()
	db, err := open(to, schema)
	check(t, err)
	driver, err := pgxmigrate.WithInstance(db, &pgxmigrate.Config{SchemaName: schema})
	check(t, err)
	source, err := iofs.New(files, set)
	check(t, err)
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	check(t, err)
	t.Cleanup(func() { _, _ = m.Close(); _ = db.Close() })
	return m
}

func TestTheScriptMakesWhatTheFilesMake(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Jobs(t.Context(), s.provisioner))
	conn := connect(t, s.provisioner)
	_, err := conn.Exec(t.Context(), `create schema by_files; create schema by_script`)
	check(t, err)

	m := stepwise(t, s.provisioner, "by_files", "tenant")
	for range Tenants.After(0) {
		check(t, m.Steps(1))
	}
	_, err = conn.Exec(t.Context(), "begin; set local search_path to by_script;\n"+TenantScript()+"\ncommit")
	check(t, err)

	migrationstest.Same(t, "by script", migrationstest.Catalog(t, conn, "by_script"), migrationstest.Catalog(t, conn, "by_files"))
	version, dirty, err := stepwise(t, s.provisioner, "by_script", "tenant").Version()
	if err != nil || dirty || int(version) != LatestTenant {
		t.Errorf("golang-migrate reads version %d, dirty %v, %v from the script's table; want %d", version, dirty, err, LatestTenant)
	}
	if err := Tenant(t.Context(), s.provisioner, "by_script"); err != nil {
		t.Errorf("there is nothing left to migrate after the script, but: %v", err)
	}
	migrationstest.Same(t, "migrated again", migrationstest.Catalog(t, conn, "by_script"), migrationstest.Catalog(t, conn, "by_files"))
}

func TestEveryMigrationCanBeTakenBackAndMadeAgain(t *testing.T) {
	t.Parallel()
	for set, schema := range map[string]string{"tenant": TemplateSchema, "control": ControlSchema} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			check(t, Control(t.Context(), s.provisioner))
			conn := connect(t, s.super)
			up := migrationstest.Catalog(t, conn, schema)
			m := stepwise(t, s.provisioner, schema, set)
			check(t, m.Steps(-1))
			check(t, m.Steps(1))
			migrationstest.Same(t, "the newest down and up", migrationstest.Catalog(t, conn, schema), up)
			check(t, m.Down())
			if left := relationsOf(t, conn, schema); !slices.Equal(slices.Sorted(slices.Values(left)), []string{"schema_migrations", "schema_migrations_pkey"}) {
				t.Errorf("down leaves %q", left)
			}
			check(t, m.Up())
			migrationstest.Same(t, "all down and up", migrationstest.Catalog(t, conn, schema), up)
		})
	}
}

// TestNothingLandsInPublic: whatever search_path an operator's URL, role or database brings along.
func TestNothingLandsInPublic(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, s *site){
		"the URL names public": func(t *testing.T, s *site) {
			s.provisioner += "&search_path=public"
		},
		"the URL's options name public": func(t *testing.T, s *site) {
			s.provisioner += "&options=" + "-c%20search_path%3Dpublic"
		},
		"the role's own search_path is public": func(t *testing.T, s *site) {
			_, err := connect(t, s.super).Exec(t.Context(), "alter role "+s.roles.Provisioner+" set search_path = public")
			check(t, err)
		},
		"the database's is": func(t *testing.T, s *site) {
			_, err := connect(t, s.super).Exec(t.Context(), "alter database "+s.roles.Database+" set search_path = public")
			check(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			conn := connect(t, s.super)
			// The role may write to public, so that only the search_path keeps it out.
			_, err := conn.Exec(t.Context(), "grant all on schema public to "+s.roles.Provisioner)
			check(t, err)
			spoil(t, &s)
			check(t, Control(t.Context(), s.provisioner))
			check(t, Tenant(t.Context(), s.provisioner, "t_somebody"))
			if landed := relationsOf(t, conn, "public"); len(landed) > 0 {
				t.Errorf("public holds %q", landed)
			}
			migrationstest.Same(t, "t_somebody", migrationstest.Catalog(t, conn, "t_somebody"), migrationstest.Catalog(t, conn, TemplateSchema))
		})
	}
}

// TestAPoolerThatDropsTheSearchPathStopsTheMigration: PgBouncer with ignore_startup_parameters does that, without a word.
func TestAPoolerThatDropsTheSearchPathStopsTheMigration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	conn := connect(t, s.super)
	through := forgetfulPooler(t, s.super) // a superuser, whom nothing else keeps out of public
	err := Tenant(t.Context(), through, "t_somebody")
	if err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Errorf("migrating through it: %v, want an error that names the search_path", err)
	}
	for _, schema := range []string{"public", "t_somebody"} {
		if landed := relationsOf(t, conn, schema); len(landed) > 0 {
			t.Errorf("%s holds %q", schema, landed)
		}
	}
}

// forgetfulPooler passes everything on except the search_path of the start-up message.
func forgetfulPooler(t *testing.T, to string) string {
	t.Helper()
	u, err := url.Parse(to)
	check(t, err)
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forget(client, server)
		}
	}()
	u.Host = listener.Addr().String()
	return u.String()
}

func forget(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	message, err := pgproto3.NewBackend(client, client).ReceiveStartupMessage()
	if err != nil {
		return
	}
	if start, ok := message.(*pgproto3.StartupMessage); ok {
		delete(start.Parameters, "search_path")
		front := pgproto3.NewFrontend(upstream, upstream)
		front.Send(start)
		if front.Flush() != nil {
			return
		}
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(upstream, client); done <- struct{}{} }()
	go func() { _, _ = io.Copy(client, upstream); done <- struct{}{} }()
	<-done
}

// TestTheProvisionerHasNoRightOnPublic is the second line behind the search_path.
func TestTheProvisionerHasNoRightOnPublic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for role, to := range map[string]string{"provisioner": s.provisioner, "runtime": s.runtime} {
		_, err := connect(t, to).Exec(t.Context(), "create table public.stray (id int)")
		if code := sqlState(err); code != "42501" {
			t.Errorf("%s makes a table in public: %v", role, err)
		}
	}
}

func TestControlRunsInManyPlacesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all errgroup.Group
	for range 8 { // connections of their own, which is all that Postgres sees of a process
		all.Go(func() error { return Control(t.Context(), s.provisioner) })
	}
	check(t, all.Wait())
	alone := newSite(t)
	check(t, Control(t.Context(), alone.provisioner))
	here, there := connect(t, s.super), connect(t, alone.super)
	for _, schema := range []string{ControlSchema, TemplateSchema} {
		want := migrationstest.Catalog(t, there, schema)
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], alone.roles.Provisioner, s.roles.Provisioner)
		}
		slices.Sort(want)
		migrationstest.Same(t, schema, migrationstest.Catalog(t, here, schema), want)
	}
}

func TestATenantIsMigratedInManyPlacesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	var all errgroup.Group
	for range 8 {
		all.Go(func() error { return Tenant(t.Context(), s.provisioner, "t_one") })
	}
	check(t, all.Wait())
	conn := connect(t, s.super)
	migrationstest.Same(t, "t_one", migrationstest.Catalog(t, conn, "t_one"), migrationstest.Catalog(t, conn, TemplateSchema))
}

// TestAQueryThatForgotItsTenantIsRefused: the runtime role sees the template's names and may read nothing there.
func TestAQueryThatForgotItsTenantIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	conn := connect(t, s.runtime)
	for _, query := range []string{"select from users", "insert into api_keys default values", "delete from sessions", "update signing_keys set kid = ''",
		"select from schema_migrations", "select from control.tenants", "truncate users", "create table mine (id int)", "create schema mine", "create temp table mine (id int)"} {
		if _, err := conn.Exec(t.Context(), query); sqlState(err) != "42501" {
			t.Errorf("%s: %v, want 42501", query, err)
		}
	}
}

func TestASchemaNameIsQuoted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	conn := connect(t, s.super)
	for _, schema := range []string{`Upper`, `with "quotes"`, `a, public`, `it's`} {
		if err := Tenant(t.Context(), s.provisioner, schema); err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		if got, want := len(relationsOf(t, conn, schema)), len(relationsOf(t, conn, TemplateSchema)); got != want {
			t.Errorf("%s holds %d relations, want %d", schema, got, want)
		}
	}
	if landed := relationsOf(t, conn, "public"); len(landed) > 0 {
		t.Errorf("public holds %q", landed)
	}
}

// A release before, started again or rolled back to, runs its own migration.
func TestASchemaThatIsFurtherIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	conn := connect(t, s.super)
	for _, schema := range []string{ControlSchema, TemplateSchema} {
		_, err := conn.Exec(t.Context(), "update "+schema+".schema_migrations set version = version + 1")
		check(t, err)
	}
	check(t, Control(t.Context(), s.provisioner))
	var version int
	check(t, conn.QueryRow(t.Context(), "select version from "+TemplateSchema+".schema_migrations").Scan(&version))
	if version != LatestTenant+1 {
		t.Errorf("the template is at %d", version)
	}
}

func TestACancelledMigrationEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Control(ctx, s.provisioner); !errors.Is(err, context.Canceled) {
		t.Errorf("Control: %v", err)
	}
}

func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// TestTheFilesKeepTheRules reads what nobody can see in a catalog.
func TestTheFilesKeepTheRules(t *testing.T) {
	t.Parallel()
	comment := regexp.MustCompile(`--[^\n]*`)
	for _, set := range []string{"control", "tenant"} {
		for i, m := range embedded(set).After(0) {
			if m.Version != i+1 {
				t.Errorf("%s of %s is not number %d: a gap hides a migration that comes later", m.Name, set, i+1)
			}
			if _, err := fs.Stat(files, fmt.Sprintf("%s/%04d_%s.down.sql", set, m.Version, m.Name)); err != nil {
				t.Errorf("%s of %s cannot be taken back: %v", m.Name, set, err)
			}
		}
		paths, err := fs.Glob(files, set+"/*.sql")
		check(t, err)
		for _, path := range paths {
			body, err := fs.ReadFile(files, path)
			check(t, err)
			text := strings.ToLower(comment.ReplaceAllString(string(body), ""))
			for bad, why := range map[string]string{
				`\bpublic\b`:           "nothing of ours is in public or for everybody",
				`\bconcurrently`:       "it waits for snapshots of other tenants in the same database",
				`\bset\s+search`:       "the connection's search_path is the one schema meant",
				`\b(commit|begin)\s*;`: "the whole file is one transaction with the version",
			} {
				if found := regexp.MustCompile(bad).FindString(text); found != "" {
					t.Errorf("%s says %q: %s", path, found, why)
				}
			}
			if set == "tenant" {
				if found := regexp.MustCompile(`create\s+(type|domain)|\bgrant\b|\bserial\b|\bbigserial\b`).FindString(text); found != "" {
					t.Errorf("%s says %q, which differs from tenant to tenant", path, found)
				}
			}
		}
	}
}
