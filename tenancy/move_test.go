package tenancy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations/migrationstest"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

const (
	here  = testDatabase
	there = "second"
)

// unhurried is for a machine that is busy with other tests.
var unhurried = MoveOptions{MaxPause: time.Minute}

// places is an installation of two databases.
type places struct {
	*platform
	urls map[string]string // of superusers
}

func newPlaces(t testing.TB) places {
	t.Helper()
	p := newPlatform(t)
	second := tenancytest.Database(t)
	pool := openPool(t, second.RuntimeURL, 4)
	p.db = NewDB(DBOptions{Control: p.pool, Tenants: map[string]*Pool{here: p.pool, there: pool}})
	p.directory = NewDirectory(DirectoryOptions{DB: p.db})
	p.options.Placements[there] = Placement{NewProvisioningDB(provisioningPool(t, second.ProvisionerURL, 4), pool.User()), 1000}
	p.options.straggling = time.Nanosecond
	p.provision = NewProvisioner(p.options)
	listen(t, p.directory)
	return places{p, map[string]string{here: p.SuperuserURL, there: second.SuperuserURL}}
}

// at asks a database behind the service's back.
func (p places) at(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.urls[database])
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// facts is everything a schema is, its rows included, without the names of roles that are the database's.
func (p places) facts(t testing.TB, database string, tenant Tenant) []string {
	t.Helper()
	conn, schema := p.at(t, database), namespace(tenant.ID)
	place := p.options.Placements[database]
	roles := strings.NewReplacer(place.runtimeRole, "RUNTIME", place.pool.Config().ConnConfig.User, "PROVISIONER")
	var all []string
	for _, line := range migrationstest.Catalog(t, conn, schema) {
		all = append(all, roles.Replace(line))
	}
	if len(all) == 0 {
		return nil
	}
	rows, err := conn.Query(t.Context(), `select relname::text from pg_class where relnamespace = $1::text::regnamespace and relkind = 'r'`, schema)
	check(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `select '`+table+` ' || r::text from `+schema+`.`+table+` r`)
		check(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		check(t, err)
		all = append(all, lines...)
	}
	slices.Sort(all)
	return all
}

// fill writes a row into some tables, among them those that refer to others and one that has a job made of it.
func (p places) fill(t testing.TB, tenant Tenant) {
	t.Helper()
	check(t, p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
		for i := range 50 {
			user := id.NewUser()
			for _, statement := range []string{
				`insert into users (id, email, name, roles, created_at, updated_at, links_since) values ($1, $2, E'N\n\t\\', '{a,"b c"}', now(), now(), '-infinity')`,
				`insert into sessions (id, user_id, amr, acr, auth_time, created_at, expires_at, refresh_expires_at, client_ip, refresh_seed)
					select gen_random_uuid(), $1, '{pwd}', $2, now(), now(), now(), now(), '2001:db8::1', '\x00ff'`,
				`insert into mails (id, kind, user_id, address, data, created_at) values (gen_random_uuid(), 'invitation', $1, $2, '{}', now())`,
			} {
				if _, err := tx.Exec(ctx, statement, user, fmt.Sprintf("u%d@x.example", i)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// wantOnly holds that a tenant is in one database, whole, and that nothing of it is in the other.
func (p places) wantOnly(t testing.TB, database string, tenant Tenant, want []string) {
	t.Helper()
	other := map[string]string{here: there, there: here}[database]
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	if read.Database != database {
		t.Fatalf("its record names %s, want %s", read.Database, database)
	}
	migrationstest.Same(t, "the tenant in "+database, p.facts(t, database, tenant), want)
	if rest := p.facts(t, other, tenant); rest != nil {
		t.Errorf("%d facts of it are left in %s", len(rest), other)
	}
	var member bool
	for name, want := range map[string]bool{database: true, other: false} {
		check(t, p.at(t, name).QueryRow(t.Context(), `select exists (select from pg_auth_members m where m.roleid = to_regrole($1) and m.member = to_regrole($2))`,
			namespace(tenant.ID), p.options.Placements[name].runtimeRole).Scan(&member))
		if member != want {
			t.Errorf("the serving role of %s is a member of the tenant's: %v", name, member)
		}
	}
	if n := ask[int](t, p.platform, "select count(*) from control.tenant_moves where tenant_id = $1", tenant.ID); n != 0 {
		t.Error("the row of its move is left")
	}
	p.writes(t, read)
}

// writes holds that a tenant can be written to.
func (p places) writes(t testing.TB, tenant Tenant) {
	t.Helper()
	check(t, p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, "update users set name = name")
		return err
	}))
}

func (p places) jobs(t testing.TB, database string, tenant Tenant) (n int) {
	t.Helper()
	check(t, p.at(t, database).QueryRow(t.Context(), `select count(*) from jobs.river_job where args->>'tenant' = $1`, tenant.ID.String()).Scan(&n))
	return n
}

func TestATenantIsMovedAndBack(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	tenant := c.Tenant
	p.fill(t, tenant)
	want := p.facts(t, here, tenant)
	for _, to := range []string{there, here, there} {
		moved, err := p.provision.Move(t.Context(), Actor{Type: ByOperator}, tenant.ID, to, unhurried)
		check(t, err)
		if moved.To != to || moved.Rows < 150 || moved.Pause <= 0 {
			t.Errorf("it says %+v", moved)
		}
		p.wantOnly(t, to, tenant, want)
		if n := p.jobs(t, to, tenant); n != 50 {
			t.Errorf("%d of 50 mails are jobs in %s", n, to)
		}
		if n := p.jobs(t, moved.From, tenant); n != 0 {
			t.Errorf("%d jobs are left in %s", n, moved.From)
		}
	}
}

// settled has a replica look after moves until none is left, as it does every few seconds: whose connections were closed this
// moment may hold its locks for another.
func (p places) settled(t testing.TB) (err error) {
	t.Helper()
	within(t, 20*time.Second, "moves are ended", func() bool {
		err = NewProvisioner(p.options).SettleMoves(t.Context())
		return err != nil || ask[int](t, p.platform, "select count(*) from control.tenant_moves") == 0
	})
	return err
}

// TestAMoverThatDies: at each step, and somebody else comes; before the switch nothing has happened, after it everything.
func TestAMoverThatDies(t *testing.T) { //nolint:tparallel // who settles moves settles all
	t.Parallel()
	p := newPlaces(t)
	again := map[string]func(tenant Tenant) error{
		"a replica": func(Tenant) error { return p.settled(t) },
		"another mover": func(tenant Tenant) error {
			var err error
			for {
				if _, err = NewProvisioner(p.options).Move(t.Context(), Actor{Type: ByOperator}, tenant.ID, there, unhurried); codeOf(err) != "unavailable" {
					break // a busy machine is another day's test
				}
			}
			if err != nil && strings.Contains(err.Error(), "lives in "+there+" already") {
				return nil
			}
			return err
		},
	}
	for _, step := range []string{"reserve", "build", "fence", "copy", "close", "switch", "jobs", "drop"} {
		for who, finish := range again {
			t.Run("after "+step+" by "+who, func(t *testing.T) {
				c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
				check(t, err)
				p.fill(t, c.Tenant)
				want := p.facts(t, here, c.Tenant)
				if _, err := p.crashing(step).Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, there, unhurried); !errors.Is(err, errCrash) {
					t.Fatalf("it did not crash: %v", err)
				}
				check(t, finish(c.Tenant))
				place := here
				if slices.Contains([]string{"switch", "jobs", "drop"}, step) || who == "another mover" {
					place = there
				}
				p.wantOnly(t, place, c.Tenant, want)
				if n := p.jobs(t, place, c.Tenant); n != 50 {
					t.Errorf("%d of 50 mails are jobs in %s", n, place)
				}
			})
		}
	}
}

// TestWhoPutsAMoveRightMayDie, too.
func TestWhoPutsAMoveRightMayDie(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	p.fill(t, c.Tenant)
	want := p.facts(t, here, c.Tenant)
	for _, step := range []string{"lift", "undo"} {
		if _, err := p.crashing("copy").Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, there, unhurried); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		// Postgres may take a moment to let go of what the first one held, and until then nobody puts it right.
		within(t, 20*time.Second, "the one who puts it right dies", func() bool {
			return errors.Is(p.crashing(step).SettleMoves(t.Context()), errCrash)
		})
		check(t, p.settled(t))
		p.wantOnly(t, here, c.Tenant, want)
	}
}

// TestNoWriteIsLost: writers who know nothing of the move, of which one hears of nothing and goes on with the record it has,
// write all the time. What they were told is written is there, and nothing else was said than 503.
func TestNoWriteIsLost(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	var mu sync.Mutex
	written, refused := map[string]bool{}, 0
	done := make(chan struct{})
	var writers sync.WaitGroup
	write := func(name string, find func(context.Context) (Tenant, error), inBatch bool) {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			tenant, err := find(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			email := fmt.Sprintf("%s-%d@x.example", name, i)
			const insert = `insert into users (id, email, name, roles, created_at, updated_at) values ($1, $2, 'N', '{}', now(), now())`
			if inBatch {
				err = p.db.InBatch(t.Context(), tenant, func(b *Batch) { b.Queue(insert, id.NewUser(), email) })
			} else {
				err = p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
					_, err := tx.Exec(ctx, insert, id.NewUser(), email)
					return err
				})
			}
			mu.Lock()
			switch {
			case err == nil:
				written[email] = true
			case away(err):
				refused++
			default:
				t.Errorf("a writer is told %v", err)
			}
			mu.Unlock()
		}
	}
	current := func(ctx context.Context) (Tenant, error) { return p.directory.ByID(ctx, c.Tenant.ID) }
	var stale atomic.Pointer[Tenant]
	stale.Store(&c.Tenant)
	behind := func(context.Context) (Tenant, error) { return *stale.Load(), nil }
	for i, find := range []func(context.Context) (Tenant, error){current, current, behind, behind} {
		writers.Go(func() { write(fmt.Sprintf("w%d", i), find, i%2 == 0) })
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(written) }
	more := func() {
		n := count()
		within(t, 20*time.Second, "writes go on", func() bool { return count() > n+20 })
	}
	o := p.options
	o.afterStep = func(step string) error {
		if step == "switch" { // who is behind hears of it only when others have long written to the other place
			more()
			read, err := p.directory.Read(t.Context(), c.Tenant.ID)
			stale.Store(&read)
			return err
		}
		return nil
	}
	mover := NewProvisioner(o)
	for range 3 {
		for _, to := range []string{there, here} {
			more()
			_, err := mover.Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, to, unhurried)
			check(t, err)
		}
	}
	close(done)
	writers.Wait()
	rows, err := p.at(t, here).Query(t.Context(), "select email from "+namespace(c.Tenant.ID)+".users where email like '%@x.example'")
	check(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	for email := range written {
		if !slices.Contains(found, email) {
			t.Errorf("%s was written and is not there", email)
		}
	}
	t.Logf("%d written, %d refused", len(written), refused)
	if refused == 0 {
		t.Error("nobody noticed: was there a fence?")
	}
}

// TestWhoIsBehindIsTold: a replica that has not heard of the move goes on with the record it has. Until the copy is made it reads
// what there is; then it is told to come again, at each of the moments that follow, and never what was.
func TestWhoIsBehindIsTold(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	read := func() string {
		return codeOf(p.db.InTx(t.Context(), c.Tenant, func(ctx context.Context, tx Tx) error {
			var n int
			return tx.QueryRow(ctx, "select count(*) from users").Scan(&n)
		}))
	}
	batch := func() string {
		return codeOf(p.db.InBatch(t.Context(), c.Tenant, func(b *Batch) {
			b.Queue("select count(*) from users").QueryRow(func(row pgx.Row) error { var n int; return row.Scan(&n) })
		}))
	}
	write := func() string {
		return codeOf(p.db.InTx(t.Context(), c.Tenant, func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, "update users set name = name")
			return err
		}))
	}
	got := map[string]string{"before": read() + " " + batch() + " " + write()}
	began := make(chan struct{})
	ended := make(chan string, 1)
	o := p.options
	o.afterStep = func(step string) error {
		got[step] = read() + " " + batch() + " " + write()
		switch step {
		case "copy": // one that is under way when it is closed
			go func() {
				defer close(ended)
				ended <- codeOf(p.db.InTx(t.Context(), c.Tenant, func(ctx context.Context, tx Tx) error {
					close(began)
					within(t, time.Second, "it is closed", func() bool {
						return !ask[bool](t, p.platform, "select has_schema_privilege($1::text, $1::text, 'usage')", namespace(c.Tenant.ID))
					})
					var n int
					return tx.QueryRow(ctx, "select count(*) from users").Scan(&n)
				}))
			}()
			<-began
		case "close":
			got["under way"] = <-ended
		}
		return nil
	}
	_, err = NewProvisioner(o).Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, there, unhurried)
	check(t, err)
	for moment, want := range map[string]string{"before": "ok ok ok", "reserve": "ok ok ok", "build": "ok ok ok", "fence": "ok ok unavailable", "copy": "ok ok unavailable",
		"close": "unavailable unavailable unavailable", "under way": "unavailable", "switch": "unavailable unavailable unavailable", "drop": "unavailable unavailable unavailable"} {
		if got[moment] != want {
			t.Errorf("%s: reading, reading in a batch and writing give %s, want %s", moment, got[moment], want)
		}
	}
}

// TestMoversMayRace: one moves it, and the others are told in a sentence.
func TestMoversMayRace(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	p.fill(t, c.Tenant)
	want := p.facts(t, here, c.Tenant)
	var moved atomic.Int32
	inParallel(t, 4, func(i int) error {
		by := NewProvisioner(p.options)
		if i == 3 {
			return by.SettleMoves(t.Context())
		}
		_, err := by.Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, there, unhurried)
		switch {
		case err == nil:
			moved.Add(1)
		case !errors.Is(err, ErrMoving) && !strings.Contains(err.Error(), "already"):
			return err
		}
		return nil
	})
	if moved.Load() != 1 {
		t.Errorf("%d moved it", moved.Load())
	}
	p.wantOnly(t, there, c.Tenant, want)
}

// TestAMoverTakenForDeadDoesNoHarm: its connections are lost in the pause, others put everything back, and it goes on.
func TestAMoverTakenForDeadDoesNoHarm(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	p.fill(t, c.Tenant)
	want := p.facts(t, here, c.Tenant)
	for _, step := range []string{"build", "fence", "copy", "close"} {
		o := p.options
		o.afterStep = func(done string) error {
			if done != step {
				return nil
			}
			for database := range p.urls {
				_, err := p.at(t, database).Exec(t.Context(), `select pg_terminate_backend(l.pid, 5000) from pg_locks l join pg_database d on d.oid = l.database
					where l.locktype = 'advisory' and d.datname = current_database() and l.granted and l.mode = 'ExclusiveLock'`)
				check(t, err)
			}
			return p.settled(t)
		}
		if _, err := NewProvisioner(o).Move(t.Context(), Actor{Type: ByOperator}, c.Tenant.ID, there, unhurried); err == nil {
			t.Fatalf("after %s it says that it has moved the tenant", step)
		}
		p.wantOnly(t, here, c.Tenant, want)
	}
}

func TestMovesThatAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	master, err := p.provision.Create(t.Context(), Tenant{Slug: PlatformSlug, Name: "Platform", Locale: "en", Master: true})
	check(t, err)
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
	check(t, err)
	p.fill(t, c.Tenant)
	want := p.facts(t, here, c.Tenant)
	move := func(by *Provisioner, t id.Tenant, to string, o MoveOptions) error {
		_, err := by.Move(context.Background(), Actor{Type: ByOperator}, t, to, o)
		return err
	}
	full := p.options
	full.Placements = map[string]Placement{here: full.Placements[here], there: {full.Placements[there].ProvisioningDB, 0}}
	holding := func(sql string, do func() error) error {
		conn := p.at(t, here)
		_, err := conn.Exec(t.Context(), "begin; "+sql)
		check(t, err)
		defer func() { _, _ = conn.Exec(context.Background(), "rollback") }()
		return do()
	}
	schema := namespace(c.Tenant.ID)
	for what, try := range map[string]struct {
		do   func() error
		want string
	}{
		"the platform":          {func() error { return move(p.provision, master.Tenant.ID, there, unhurried) }, "platform_protected"},
		"nobody":                {func() error { return move(p.provision, id.NewTenant(), there, unhurried) }, "no such tenant"},
		"to nowhere":            {func() error { return move(p.provision, c.Tenant.ID, "third", unhurried) }, "not configured"},
		"to where it is":        {func() error { return move(p.provision, c.Tenant.ID, here, unhurried) }, "already"},
		"to a full database":    {func() error { return move(NewProvisioner(full), c.Tenant.ID, there, unhurried) }, "capacity_exhausted"},
		"with no time to pause": {func() error { return move(p.provision, c.Tenant.ID, there, MoveOptions{MaxPause: time.Nanosecond}) }, "longest pause"},
		"while it is migrated": {func() error {
			return holding(`select pg_advisory_xact_lock(hashtextextended('`+schema+`', 0))`, func() error { return move(p.provision, c.Tenant.ID, there, unhurried) })
		}, ErrMoving.Error()},
		"while somebody does not stop writing": {func() error {
			return holding(`update `+schema+`.users set name = name`, func() error { return move(p.provision, c.Tenant.ID, there, MoveOptions{MaxPause: time.Second}) })
		}, "longest pause"},
		"where something is in its place": {func() error {
			conn := p.at(t, there)
			_, err := conn.Exec(t.Context(), "create schema "+schema)
			check(t, err)
			defer func() { _, _ = conn.Exec(context.Background(), "drop schema "+schema) }()
			return move(p.provision, c.Tenant.ID, there, unhurried)
		}, "have a look at it"},
	} {
		err := try.do()
		if err == nil || !strings.Contains(err.Error(), try.want) && codeOf(err) != try.want {
			t.Errorf("%s: %v, want %s", what, err, try.want)
		}
		p.wantOnly(t, here, c.Tenant, want)
	}
}
