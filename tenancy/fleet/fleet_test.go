package fleet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	now   = "now"
	later = "later"
)

func TestAFleetIsMigrated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 5)
	var told []Progress
	o := s.options(t, next, "create table more (n int)")
	o.Canary = 0.01
	o.Watch = func(p Progress) { told = append(told, p) }
	if got := s.migrate(t, o); got.Migrated != 5 || got.Found != 0 || len(got.Failed) != 0 || got.Left != 0 || got.Version != migrations.LatestTenant+2 {
		t.Errorf("the report is %+v", got)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 2: 5})
	if len(told) != 5 || told[4] != (Progress{5, 5}) {
		t.Errorf("told was %v", told)
	}
	if got := s.migrate(t, o); got.Migrated+got.Found != 0 {
		t.Errorf("a second run does %+v", got)
	}
	if version, dirty := s.byLibrary(t, tenants[0]); version != o.Set.Latest() || dirty {
		t.Errorf("golang-migrate reads version %d, dirty %v", version, dirty)
	}
	// The tenant's role has what it has on older tables, and nothing on the version.
	check(t, s.db.InTx(t.Context(), tenants[0], func(ctx context.Context, tx tenancy.Tx) error {
		_, err := tx.Exec(ctx, "insert into notes (note) values ('mine')")
		if err == nil {
			_, err = tx.Exec(ctx, "update notes set note = 'ours' where note = 'mine'")
		}
		if err == nil {
			_, err = tx.Exec(ctx, "delete from notes where note = 'ours'")
		}
		if err == nil {
			_, err = tx.Exec(ctx, "select nickname from users")
		}
		return err
	}))
	conn := s.behind(t)
	for _, sql := range []string{"select version from schema_migrations", "truncate notes", "alter table notes add column n int", "drop table notes"} {
		schema := tenancy.Schema(tenants[0].ID)
		_, err := conn.Exec(t.Context(), "begin; set local role "+schema+"; set local search_path to "+schema+"; "+sql)
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want 42501", sql, err)
		}
		_, err = conn.Exec(t.Context(), "rollback")
		check(t, err)
	}
	status, err := ReadStatus(t.Context(), s.ProvisionerURL, o.Set)
	check(t, err)
	if want := []Count{{place, o.Set.Latest(), 5, 0}}; !slices.Equal(status.Counts, want) || len(status.Failures) != 0 || status.Version != o.Set.Latest() {
		t.Errorf("the status is %+v", status)
	}
}

// A run that lost the race for a tenant finds it done: the file's insert and its new table would fail a second time.
func TestRunsShareTheWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 60)
	var reports [3]Report
	var errs [3]error
	var runs sync.WaitGroup
	for i := range reports {
		runs.Go(func() {
			o := s.options(t, next)
			o.Canary = 0.05
			reports[i], errs[i] = Migrate(t.Context(), o)
		})
	}
	runs.Wait()
	check(t, errors.Join(errs[:]...))
	done := 0
	for _, r := range reports {
		done += r.Migrated
		if len(r.Failed) > 0 || r.Left > 0 {
			t.Errorf("one report is %+v", r)
		}
	}
	if done != len(tenants) {
		t.Errorf("%d tenants were migrated %d times", len(tenants), done)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 60})
}

// A file that cannot work is found out by a tenant or two. Once it is mended, all are migrated, those that it failed at too.
func TestCanariesStopABadMigration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 20)
	o := s.options(t, next+";\nselect 1/0")
	o.Canary = 0.1
	report, err := Migrate(t.Context(), o)
	stopped, ok := errors.AsType[*StoppedError](err)
	if !ok || !stopped.Canary || stopped.Tried > 2 || report.Migrated != 0 || report.Left != 20-stopped.Tried || len(report.Failed) != stopped.Failed {
		t.Fatalf("%v, %+v", err, report)
	}
	if f := report.Failed[0]; !strings.Contains(f.Error, "_new: ") || !strings.Contains(f.Error, "22012") || f.State != "failed" || f.Version != migrations.LatestTenant {
		t.Errorf("the failure is %+v", f)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant: 20})
	status, err := ReadStatus(t.Context(), s.ProvisionerURL, o.Set)
	check(t, err)
	if want := []Count{{place, migrations.LatestTenant, 20, len(report.Failed)}}; !slices.Equal(status.Counts, want) || len(status.Failures) != len(report.Failed) ||
		status.Failures[0].At.IsZero() || status.Failures[0].Error == "" {
		t.Errorf("the status is %+v", status)
	}
	if got := s.migrate(t, s.options(t, next)); got.Migrated != 20 {
		t.Errorf("mended: %+v", got)
	}
	status, err = ReadStatus(t.Context(), s.ProvisionerURL, o.Set)
	check(t, err)
	if len(status.Failures) != 0 || status.Counts[0].Failed != 0 {
		t.Errorf("the status is still %+v", status)
	}
}

// What many tenants fail at stops a run, also where the canaries passed.
func TestManyFailuresStopTheRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 24)
	for _, tenant := range tenants[:14] {
		s.do(t, "create table "+tenancy.Schema(tenant.ID)+".notes (in_the_way int)")
	}
	o := s.options(t, next)
	o.Halt = 0.05
	report, err := Migrate(t.Context(), o)
	if stopped, ok := errors.AsType[*StoppedError](err); !ok || stopped.Canary || report.Left == 0 || len(report.Failed) < haltFrom {
		t.Fatalf("%v, %+v", err, report)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant: 24 - report.Migrated, migrations.LatestTenant + 1: report.Migrated})

	// Those that failed already stop nobody, and are tried again, each.
	o.Halt = 1
	if got := s.migrate(t, o); got.Migrated != 10-report.Migrated || len(got.Failed) != 14 {
		t.Errorf("the second run: %+v", got)
	}
	o.Halt, o.Canary = 0.05, 0.01
	for _, tenant := range tenants[:10] {
		s.do(t, "drop table "+tenancy.Schema(tenant.ID)+".notes")
	}
	if got := s.migrate(t, o); got.Migrated != 10 || len(got.Failed) != 4 {
		t.Errorf("the third run: %+v", got)
	}
}

// A tenant that is in use for long is tried again and again, while the others are migrated.
func TestALockedTenantDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 8)
	release := map[string]func(){
		now:   s.hold(t, "lock table "+tenancy.Schema(tenants[0].ID)+".users in access share mode"),
		later: s.hold(t, "lock table "+tenancy.Schema(tenants[1].ID)+".users in access share mode"),
	}
	o := s.options(t, next)
	o.Workers, o.LockTimeout = 1, 20*time.Millisecond
	o.Watch = func(p Progress) {
		if p.Done == 6 {
			release[now]()
		}
	}
	report := s.migrate(t, o)
	if report.Migrated != 7 || len(report.Failed) != 1 || report.Failed[0].Tenant != tenants[1].ID || !strings.Contains(report.Failed[0].Error, "55P03") {
		t.Errorf("the report is %+v", report)
	}
	release[later]()
	if got := s.migrate(t, o); got.Migrated != 1 {
		t.Errorf("the next run: %+v", got)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 8})
}

// A statement that takes too long is given up, and so is what another process holds for ever.
func TestNothingIsWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 2)
	slow := "do $$ begin if current_schema() = '" + tenancy.Schema(tenants[0].ID) + "' then perform pg_sleep(60); end if; end $$"
	o := s.options(t, slow)
	o.StatementTimeout = 300 * time.Millisecond // a busy machine needs longer for what is done at once elsewhere
	release := s.hold(t, "select pg_advisory_xact_lock(hashtextextended('"+tenancy.Schema(tenants[1].ID)+"', 0))")
	report := s.migrate(t, o)
	if len(report.Failed) != 2 || report.Migrated != 0 {
		t.Fatalf("the report is %+v", report)
	}
	for _, f := range report.Failed {
		want := "57014"
		if f.Tenant == tenants[1].ID {
			want = errBusy.Error()
		}
		if !strings.Contains(f.Error, want) {
			t.Errorf("%s failed by %q, want %q", f.Slug, f.Error, want)
		}
	}
	release()
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant: 2})
}

// What another program left half done is for a person to look at, and keeps nobody else back.
func TestADirtyTenantIsReportedAndNotTouched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 4)
	s.do(t, "update "+tenancy.Schema(tenants[0].ID)+".schema_migrations set dirty = true")
	o := s.options(t, next)
	for range 2 { // the second time nobody is left who could be a canary
		report := s.migrate(t, o)
		if len(report.Failed) != 1 || report.Failed[0].Tenant != tenants[0].ID || report.Failed[0].State != "dirty" {
			t.Fatalf("the report is %+v", report)
		}
		o.Canary = 1
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant: 1, migrations.LatestTenant + 1: 3})
	status, err := ReadStatus(t.Context(), s.ProvisionerURL, o.Set)
	check(t, err)
	if len(status.Failures) != 1 || status.Failures[0].State != "dirty" {
		t.Errorf("the status is %+v", status)
	}
	s.do(t, "update "+tenancy.Schema(tenants[0].ID)+".schema_migrations set dirty = false")
	if got := s.migrate(t, o); got.Migrated != 1 {
		t.Errorf("put right: %+v", got)
	}
}

// Replicas of the version before go on making tenants while a run goes on.
func TestATenantMadeMeanwhileIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 3)
	o := s.options(t, next)
	o.Watch = func(p Progress) {
		if p.Done == 3 {
			tenants = append(tenants, s.tenants(t, 2)...)
		}
	}
	if got := s.migrate(t, o); got.Migrated != 5 {
		t.Errorf("the report is %+v", got)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 5})
}

// A record that is behind its schema is what a killed run leaves. A schema that is behind its record is what a restored backup
// does, and is put right by name.
func TestRecordsAreHeldAgainstTheSchemas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 3)
	o := s.options(t, next)
	s.migrate(t, o)
	s.do(t, "update control.tenants set schema_version = schema_version - 1")
	if got := s.migrate(t, o); got.Migrated != 0 || got.Found != 3 {
		t.Errorf("the report is %+v", got)
	}
	restored := tenancy.Schema(tenants[1].ID)
	s.do(t, "drop table "+restored+".notes; alter table "+restored+".users drop column nickname; update "+restored+".schema_migrations set version = version - 1")
	o.Only = tenants[1].Slug
	if got := s.migrate(t, o); got.Migrated != 1 {
		t.Errorf("by name: %+v", got)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 3})
	o.Only = "nobody-here"
	if _, err := Migrate(t.Context(), o); !errors.Is(err, ErrNoTenant) {
		t.Errorf("nobody: %v", err)
	}
	// A schema that is further than this program knows is left alone.
	older := s.options(t)
	older.Only = tenants[0].Slug
	if got := s.migrate(t, older); got.Migrated != 0 || got.Found != 1 {
		t.Errorf("an older program: %+v", got)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 3})
}

func TestWhatCannotBeReachedFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 3)
	s.do(t, "update control.tenants set database = 'elsewhere' where id = '"+tenants[0].ID.String()+"'")
	s.do(t, "drop table "+tenancy.Schema(tenants[1].ID)+".schema_migrations")
	report := s.migrate(t, s.options(t, next))
	if report.Migrated != 1 || len(report.Failed) != 2 {
		t.Fatalf("the report is %+v", report)
	}
	for _, f := range report.Failed {
		want := `database "elsewhere" is not configured`
		if f.Tenant == tenants[1].ID {
			want = "42P01"
		}
		if !strings.Contains(f.Error, want) {
			t.Errorf("%s failed by %q, want %q", f.Slug, f.Error, want)
		}
	}
}

// A database that is away is no reason to leave the others' tenants behind, not even where a canary lives in it.
func TestADatabaseThatIsAwayIsLeftOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 3)
	s.do(t, "update control.tenants set database = 'away' where id <> '"+tenants[0].ID.String()+"'")
	o := s.options(t, next)
	o.Canary, o.Databases["away"], o.Away = 1, "postgres://nobody@127.0.0.1:1/none", []string{"away"}
	if got := s.migrate(t, o); got.Migrated != 1 || got.Away != 2 || len(got.Failed) != 0 {
		t.Errorf("the report is %+v", got)
	}
}

// A tenant that is deleted after the list was read is nobody's failure.
func TestATenantThatGoesMeanwhileIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.tenants(t, 4)
	o := s.options(t, next)
	o.Workers = 1
	o.Watch = func(p Progress) {
		if p.Done == 1 { // of the three others one may be under way
			s.do(t, `do $$ declare t record; begin
				for t in select id, 't_' || replace(id::text, '-', '') as name from control.tenants where schema_version = `+strconv.Itoa(migrations.LatestTenant)+` loop
					perform pg_advisory_xact_lock(hashtextextended(t.name, 0));
					delete from control.tenants where id = t.id;
					execute 'drop schema ' || t.name || ' cascade';
				end loop; end $$`)
		}
	}
	if got := s.migrate(t, o); got.Migrated < 1 || got.Migrated > 2 || len(got.Failed) != 0 {
		t.Errorf("the report is %+v", got)
	}
}

// Without a directory that keeps what is done, a run ends.
func TestADirectoryThatCannotBeWrittenEndsTheRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 12)
	o := s.options(t, next)
	o.Workers = 1
	o.Watch = func(p Progress) {
		if p.Done == 1 {
			s.do(t, "alter table control.tenant_migrations rename to away")
		}
	}
	if _, err := Migrate(t.Context(), o); err == nil || !strings.Contains(err.Error(), "the directory: ") {
		t.Errorf("the run ends with %v", err)
	}
	s.do(t, "alter table control.away rename to tenant_migrations")
	o.Watch = nil
	s.migrate(t, o)
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 12})
}

// An interrupted run keeps what it did: a tenant whose migration was committed and not yet written down is found migrated.
func TestAnInterruptedRunIsTakenUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tenants := s.tenants(t, 12)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := s.options(t, next)
	o.Workers = 2
	o.Watch = func(p Progress) {
		if p.Done == 3 {
			cancel()
		}
	}
	report, err := Migrate(ctx, o)
	if !errors.Is(err, context.Canceled) || report.Migrated < 3 || report.Migrated > 5 || len(report.Failed) != 0 {
		t.Errorf("interrupted: %v, %+v", err, report)
	}
	o.Watch = nil
	if got := s.migrate(t, o); got.Migrated+got.Found+report.Migrated != 12 {
		t.Errorf("the next run: %+v after %+v", got, report)
	}
	s.wantVersions(t, tenants, map[int]int{migrations.LatestTenant + 1: 12})
}

func TestCanaries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     int
		share float64
		want  int
	}{{0, 0.01, 0}, {1, 0.01, 1}, {100, 0.01, 1}, {101, 0.01, 2}, {1000, 0.01, 10}, {10_000, 0.01, 50}, {3, 1, 3}, {1000, 0, 0}} {
		if got := canariesOf(c.n, c.share); got != c.want {
			t.Errorf("of %d tenants %d go first, want %d", c.n, got, c.want)
		}
	}
}
