package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	pgxmigrate "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// site is an installation whose tenants were made by a replica of this version.
type site struct {
	tenancytest.Installation
	db        *tenancy.DB
	directory *tenancy.Directory
	provision *tenancy.Provisioner
}

const place = "shared-1"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Installation: tenancytest.Install(t)}
	serving, err := tenancy.NewPool(s.RuntimeURL, 4)
	check(t, err)
	t.Cleanup(serving.Close)
	provisioning, err := tenancy.NewProvisioningPool(t.Context(), s.ProvisionerURL, 4)
	check(t, err)
	t.Cleanup(provisioning.Close)
	s.db = tenancy.NewDB(tenancy.DBOptions{Control: serving, Tenants: map[string]*tenancy.Pool{place: serving}})
	s.directory = tenancy.NewDirectory(tenancy.DirectoryOptions{DB: s.db})
	keys, err := custody.OpenSoftware(t.TempDir()) // quicker than Vault, and of no interest here
	check(t, err)
	there := tenancy.NewProvisioningDB(provisioning, serving.User())
	s.provision = tenancy.NewProvisioner(tenancy.ProvisionerOptions{Control: there, Placements: map[string]tenancy.Placement{place: {ProvisioningDB: there, Capacity: 1000}},
		Home: place, Region: "here", Keys: keys, Furnisher: unfurnished{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	return s
}

type unfurnished struct{}

func (unfurnished) Plan(tenancy.Tenant) (tenancy.Plan, error) {
	return tenancy.Plan{Blueprint: "{}"}, nil
}
func (unfurnished) Furnish(context.Context, tenancy.Tx, string) error { return nil }

// tenants makes n of them.
func (s *site) tenants(t *testing.T, n int) []tenancy.Tenant {
	t.Helper()
	all := make([]tenancy.Tenant, n)
	errs := make([]error, n)
	next := make(chan int)
	var makers sync.WaitGroup
	for range 3 {
		makers.Go(func() {
			for i := range next {
				var c tenancy.Created
				c, errs[i] = s.provision.Create(context.WithoutCancel(t.Context()), tenancy.Tenant{Slug: tenancy.Slug("a" + strings.ToLower(rand.Text()[:12])), Name: "Acme", Locale: "en"})
				all[i] = c.Tenant
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	makers.Wait()
	for _, err := range errs {
		check(t, err)
	}
	return all
}

// next is the version after this program's: one column, one index, and a table.
const next = `alter table users add column nickname text;
create index users_nickname on users (nickname);
create table notes (note text primary key);
insert into notes values ('once'); -- a comment at the end`

// newer is this program's set with more files after it.
func newer(t *testing.T, files ...string) migrations.Set {
	t.Helper()
	all := fstest.MapFS{}
	for _, m := range migrations.Tenants.After(0) {
		all[fmt.Sprintf("%04d_%s.up.sql", m.Version, m.Name)] = &fstest.MapFile{Data: []byte(m.SQL)}
	}
	for i, body := range files {
		all[fmt.Sprintf("%04d_new.up.sql", migrations.LatestTenant+1+i)] = &fstest.MapFile{Data: []byte(body)}
	}
	set, err := migrations.ReadSet(all)
	check(t, err)
	return set
}

// options are those of a run to a newer version that no share of failures stops.
func (s *site) options(t *testing.T, files ...string) Options {
	t.Helper()
	return Options{Directory: s.ProvisionerURL, Databases: map[string]string{place: s.ProvisionerURL}, Set: newer(t, files...), Halt: 1}
}

// migrate makes a run that is not to be stopped.
func (s *site) migrate(t *testing.T, o Options) Report {
	t.Helper()
	report, err := Migrate(t.Context(), o)
	check(t, err)
	return report
}

// versions counts tenants by the version of their records, once it is seen that these say what the schemas say.
func (s *site) versions(t *testing.T, tenants []tenancy.Tenant) map[int]int {
	t.Helper()
	conn := s.behind(t)
	counts := map[int]int{}
	for _, tenant := range tenants {
		read, err := s.directory.Read(t.Context(), tenant.ID)
		check(t, err)
		var version int
		check(t, conn.QueryRow(t.Context(), "select version from "+tenancy.Schema(tenant.ID)+".schema_migrations", pgx.QueryExecModeExec).Scan(&version))
		if version != read.SchemaVersion {
			t.Errorf("%s is at %d, and its record says %d", tenant.Slug, version, read.SchemaVersion)
		}
		counts[version]++
	}
	return counts
}

func (s *site) wantVersions(t *testing.T, tenants []tenancy.Tenant, want map[int]int) {
	t.Helper()
	if got := s.versions(t, tenants); !maps.Equal(got, want) {
		t.Errorf("tenants by version are %v, want %v", got, want)
	}
}

// byLibrary is where golang-migrate sees a tenant's schema.
func (s *site) byLibrary(t *testing.T, tenant tenancy.Tenant) (version int, dirty bool) {
	t.Helper()
	config, err := pgx.ParseConfig(s.ProvisionerURL)
	check(t, err)
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = db.Close() })
	driver, err := pgxmigrate.WithInstance(db, &pgxmigrate.Config{SchemaName: tenancy.Schema(tenant.ID)})
	check(t, err)
	version, dirty, err = driver.Version()
	check(t, err)
	return version, dirty
}

// behind is a superuser's connection.
func (s *site) behind(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.SuperuserURL)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func (s *site) do(t *testing.T, sql string) {
	t.Helper()
	conn := s.behind(t)
	_, err := conn.Exec(t.Context(), sql)
	check(t, err)
	check(t, conn.Close(t.Context()))
}

// hold opens a transaction with the statement and keeps it open until it is called.
func (s *site) hold(t *testing.T, sql string) (release func()) {
	t.Helper()
	conn := s.behind(t)
	_, err := conn.Exec(t.Context(), "begin; "+sql)
	check(t, err)
	return func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "rollback")
		check(t, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
