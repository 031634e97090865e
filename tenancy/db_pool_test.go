package tenancy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/jackc/pgx/v5"
)

// out is how many connections are not idle.
func (p *Pool) out() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open - len(p.idle)
}

// reset closes the connections that are idle.
func (p *Pool) reset() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		p.retire(c)
	}
}

func wide(t *testing.T, p *platform, size int32) (*DB, *Pool) {
	t.Helper()
	pool := openPool(t, p.RuntimeURL, size)
	return NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}}), pool
}

// backend is the process that serves a transaction of the tenant.
func backend(t *testing.T, db *DB, tenant Tenant) (pid int) {
	t.Helper()
	check(t, db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
		return tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid)
	}))
	return pid
}

// settle has two tenants get a connection each. The second one's is opened while it is served by the first one's; were both to
// come again before it is there, they would be at home where they are.
func settle(t *testing.T, db *DB, pool *Pool, a, b Tenant) {
	t.Helper()
	for _, tenant := range []Tenant{a, b} {
		backend(t, db, tenant)
		within(t, 20*time.Second, "no connection is being opened", func() bool { return pool.out() == 0 })
	}
	if backend(t, db, a) == backend(t, db, b) {
		t.Error("two tenants share a connection where there are two")
	}
}

func TestATenantFindsTheConnectionItHad(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := wide(t, p, 2)
	a, b := p.tenant(t), p.tenant(t)
	settle(t, db, pool, a, b)
	ofA, ofB := backend(t, db, a), backend(t, db, b)
	for range 5 {
		check(t, pool.Ping(t.Context())) // nobody's
		check(t, db.InBatch(t.Context(), a, func(q *Batch) {
			q.Queue("select pg_backend_pid()").QueryRow(func(row pgx.Row) error {
				var pid int
				if err := row.Scan(&pid); err != nil || pid != ofA {
					return fmt.Errorf("served by %d, not %d: %w", pid, ofA, err)
				}
				return nil
			})
		}))
		if gotA, gotB := backend(t, db, a), backend(t, db, b); gotA != ofA || gotB != ofB {
			t.Errorf("served by %d and %d, not %d and %d", gotA, gotB, ofA, ofB)
		}
	}
	if backend(t, db, b); backend(t, db, p.tenant(t)) != ofA {
		t.Error("a third tenant does not get the connection that was used longest ago")
	}
	if backend(t, db, b) != ofB {
		t.Error("the third tenant took the other connection too")
	}
}

func TestWhichConnectionIsChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		idle []string // the longest idle first: which it served last, and before
		want int
	}{
		{nil, -1},
		{[]string{"other"}, 0},
		{[]string{"other", "another"}, 0},
		{[]string{"other", "mine", "another"}, 1},
		{[]string{"mine", "mine", "other"}, 1},
		{[]string{"", "other"}, 0},
		{[]string{"other another", "other"}, 1},
		{[]string{"other mine", "another", "other another"}, 0},
		{[]string{"other mine", "other mine", "other"}, 1},
		{[]string{"mine another", "other mine another", ""}, 0},
		{[]string{"other mine another", "other another", "other"}, 2},
		{[]string{"other mine", "other mine another"}, 0},
		{[]string{"other mine", "other"}, 0},
	} {
		var idle []*conn
		for _, visits := range c.idle {
			made := &conn{wear: newWear(mostTenants)}
			for i, name := range strings.Fields(visits) {
				if i == 0 {
					made.last = name
				}
				made.wear.by(name)
			}
			idle = append(idle, made)
		}
		if got := choose(idle, "mine"); got != c.want {
			t.Errorf("of %q the one at %d, want %d", c.idle, got, c.want)
		}
	}
}

// Tenants that come in turn are divided among the connections, so that no backend has the catalog of all of them.
func TestTenantsAreDividedAmongConnections(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := wide(t, p, 3)
	tenants := make([]Tenant, 30)
	for i := range tenants {
		tenants[i] = p.tenant(t)
	}
	within(t, 20*time.Second, "all connections are open", func() bool {
		for _, tenant := range tenants {
			backend(t, db, tenant)
		}
		pool.mu.Lock()
		defer pool.mu.Unlock()
		return pool.open == pool.size && pool.opening == 0
	})
	at := map[int]map[id.Tenant]bool{} // which tenants each backend is at, from now on
	for range 4 {
		for _, tenant := range tenants {
			pid := backend(t, db, tenant)
			if at[pid] == nil {
				at[pid] = map[id.Tenant]bool{}
			}
			at[pid][tenant.ID] = true
		}
	}
	for pid, of := range at {
		if len(of) > 22 {
			t.Errorf("backend %d is at %d of 30 tenants, there are %d", pid, len(of), len(at))
		}
	}
	if len(at) != 3 {
		t.Errorf("there are %d backends at work, want 3", len(at))
	}
}

// TestWhoGetsStatementsOfTheirOwn: who comes back soon, and not more of them than a connection has room for.
func TestWhoGetsStatementsOfTheirOwn(t *testing.T) {
	t.Parallel()
	var k known
	if k.serve("a") || k.has("a") {
		t.Error("who comes for the first time has statements of its own")
	}
	for range 2 {
		if !k.serve("a") {
			t.Error("who comes again has none")
		}
	}
	for i := range 1000 { // more tenants in turn than a connection can know
		if k.serve(fmt.Sprint(i % (seenTenants + 1))) {
			t.Fatal("who comes rarely gets statements of its own")
		}
	}
	if !k.serve("a") {
		t.Error("the rare ones take its statements from one who comes often")
	}
	for i := range ownTenants {
		k.serve(fmt.Sprint("often ", i))
		k.serve(fmt.Sprint("often ", i))
	}
	if k.has("a") || !k.has("often 0") || len(k.own) != ownTenants || len(k.seen) > seenTenants {
		t.Errorf("own %q, seen %q", k.own, k.seen)
	}
}

// TestPlansAreNotTakenAway: two tenants on one connection have the same statement twice.
func TestPlansAreNotTakenAway(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a, b := p.tenant(t), p.tenant(t)
	for range 3 {
		for _, tenant := range []Tenant{a, b} {
			check(t, db.InTx(t.Context(), tenant, names))
			check(t, db.InBatch(t.Context(), tenant, func(q *Batch) { q.Queue("select count(*) from users") }))
		}
	}
	for _, tenant := range []Tenant{a, b} {
		var n int
		check(t, pool.row(t.Context(), "select count(*) from pg_prepared_statements where starts_with(statement, $1)",
			[]any{"/* " + namespace(tenant.ID) + " */ select"}, &n))
		if n != 2 {
			t.Errorf("%d statements of its own, want 2", n)
		}
	}
}

// TestWhoIsCalled: a connection goes to who wants the namespace it served, but nobody is passed without end.
func TestWhoIsCalled(t *testing.T) {
	t.Parallel()
	busy := &conn{last: "busy"}
	if i := call(nil, busy); i != -1 {
		t.Errorf("in an empty line it is the turn of %d", i)
	}
	line := []*waiter{{namespace: "patient"}, {namespace: "second"}, {namespace: "busy"}}
	if i := call(line, &conn{last: "elsewhere"}); i != 0 || line[0].passed != 0 {
		t.Errorf("nobody wants the namespace, and it is the turn of %d", i)
	}
	for n := range overtaken {
		if i := call(line, busy); i != 2 {
			t.Errorf("it is the turn of %d after %d have passed, not of the one whose tenant it is", i, n)
		}
	}
	if i := call(line, busy); i != 0 {
		t.Errorf("it is the turn of %d, though the first was passed %d times", i, overtaken)
	}
}

// TestAStormOfOneTenantLetsOthersThrough: connections prefer the tenant they served last, and there is only one.
func TestAStormOfOneTenantLetsOthersThrough(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, pool := wide(t, p, 1)
	stormy, quiet := p.tenant(t), p.tenant(t)
	var over atomic.Bool
	inParallel(t, 6, func(i int) error {
		if i > 0 {
			for !over.Load() {
				if err := inTx(t.Context(), pool, namespace(stormy.ID), namespace(stormy.ID), func(context.Context, *conn) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		}
		defer over.Store(true)
		for range 50 {
			if err := inTx(t.Context(), pool, namespace(quiet.ID), namespace(quiet.ID), func(context.Context, *conn) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAConnectionIsRetiredWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a := p.tenant(t)
	first := backend(t, db, a)
	c, err := pool.acquire(t.Context(), "")
	check(t, err)
	pool.retireIdle(c) // it is in use: nothing happens yet
	c.retired = time.Now()
	pool.release(c)
	second := backend(t, db, a)
	pool.retireIdle(c) // it is gone
	pool.mu.Lock()
	idle := pool.idle[0]
	pool.mu.Unlock()
	pool.retireIdle(idle)
	third := backend(t, db, a)
	if first == second || second == third {
		t.Errorf("served by %d, %d and %d", first, second, third)
	}
	within(t, 20*time.Second, "the others are gone", func() bool {
		return ask[int](t, p, "select count(*) from pg_stat_activity where usename = $1 and pid <> $2", pool.User(), third) == 0
	})
}

// A tenant that comes often wears nothing out; two or three different ones do, where that is the most.
func TestAConnectionIsRetiredAfterManyTenants(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a, b, c := p.tenant(t), p.tenant(t), p.tenant(t)
	pool.most = 2
	first := backend(t, db, a)
	for range 10 {
		if again := backend(t, db, a); again != first {
			t.Fatalf("one tenant was served by %d and %d", first, again)
		}
	}
	backend(t, db, b)
	backend(t, db, c)
	if later := backend(t, db, a); later == first {
		t.Error("three tenants and a fourth visit are served by one connection")
	}
}

func TestAClosedPoolIsEmpty(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	pool, err := NewPool(p.RuntimeURL, 2)
	check(t, err)
	one, err := pool.acquire(t.Context(), "")
	check(t, err)
	two, err := pool.acquire(t.Context(), "")
	check(t, err)
	waiting, closed := make(chan error), make(chan struct{})
	go func() { waiting <- pool.Ping(t.Context()) }()
	within(t, 20*time.Second, "one waits", func() bool { pool.mu.Lock(); defer pool.mu.Unlock(); return len(pool.line) == 1 })
	go func() { pool.Close(); close(closed) }()
	if err := <-waiting; !errors.Is(err, errClosed) {
		t.Errorf("who waited is told %v", err)
	}
	pool.release(one)
	select {
	case <-closed:
		t.Error("it was closed while a connection was out")
	default:
	}
	check(t, two.Ping(t.Context()))
	pool.release(two)
	<-closed
	if err := pool.Ping(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("a closed pool says %v", err)
	}
	within(t, 20*time.Second, "the server has none of its connections", func() bool {
		return ask[int](t, p, "select count(*) from pg_stat_activity where usename = $1", pool.User()) == 0
	})
}

// TestWhoWaitsIsServedByAnotherConnection: where the server takes no more connections, those there are go round.
func TestWhoWaitsIsServedByAnotherConnection(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.pool.reset()
	within(t, 20*time.Second, "they are closed", func() bool {
		return ask[int](t, p, "select count(*) from pg_stat_activity where usename = $1", p.pool.User()) == 0
	})
	p.do(t, "alter role "+p.pool.User()+" connection limit 1")
	_, pool := wide(t, p, 4)
	inParallel(t, 8, func(int) error {
		for range 10 {
			if err := pool.Ping(t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestTenantsDoNotMixHoweverTransactionsEnd sends two tenants through two connections, and lets every other transaction
// end badly. Nobody reads a row of the other, the server does not fill with connections, and in the end none of
// them knows of a tenant.
func TestTenantsDoNotMixHoweverTransactionsEnd(t *testing.T) {
	t.Parallel()
	const size = 2
	p := newPlatform(t)
	db, pool := wide(t, p, size)
	tenants := []Tenant{p.tenant(t), p.tenant(t)}
	for _, tenant := range tenants {
		check(t, db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, `insert into idempotency_keys (scope, key_hash, answer, created_at) values ('whose', '', $1, now())`, tenant.ID.String())
			return err
		}))
	}
	p.pool.reset() // what is left is the other pool's
	const query = `select answer, current_user::text, current_setting('search_path') from idempotency_keys where scope = 'whose'`
	mine := func(tenant Tenant, row pgx.Row) error {
		var whose, user, path string
		if err := row.Scan(&whose, &user, &path); err != nil {
			return err
		}
		if ns := namespace(tenant.ID); whose != tenant.ID.String() || user != ns || path != ns {
			return fmt.Errorf("tenant %s reads the row of %s as %s in %s", tenant.ID, whose, user, path)
		}
		return nil
	}
	bad := []func(context.Context, func(), Tenant){
		func(ctx context.Context, _ func(), tenant Tenant) {
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "select 1/0"); return err })
		},
		func(ctx context.Context, _ func(), tenant Tenant) {
			_ = db.InBatch(ctx, tenant, func(q *Batch) { q.Queue("delete from idempotency_keys"); q.Queue("select 1/0") })
		},
		func(ctx context.Context, cancel func(), tenant Tenant) {
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				time.AfterFunc(time.Millisecond, cancel)
				_, err := tx.Exec(ctx, "select pg_sleep(1)")
				return err
			})
		},
		func(ctx context.Context, cancel func(), tenant Tenant) {
			time.AfterFunc(rand.N(2*time.Millisecond), cancel) // while it waits, begins, reads or commits
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error { return mine(tenant, tx.QueryRow(ctx, query)) })
		},
		func(ctx context.Context, _ func(), tenant Tenant) {
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				_, _ = tx.Query(ctx, query) //nolint:sqlclosecheck // that is the point
				panic("on purpose")
			})
		},
		func(ctx context.Context, _ func(), tenant Tenant) {
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				_, _ = tx.Exec(ctx, "delete from idempotency_keys")
				panic("on purpose")
			})
		},
	}
	inParallel(t, 8, func(i int) error {
		for n := range 30 {
			tenant := tenants[(i+n)%len(tenants)]
			func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer func() { _ = recover() }()
				bad[rand.N(len(bad))](ctx, cancel, tenant)
			}()
			err := db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { return mine(tenant, tx.QueryRow(ctx, query)) })
			if err == nil {
				err = db.InBatch(t.Context(), tenant, func(q *Batch) { q.Queue(query).QueryRow(func(row pgx.Row) error { return mine(tenant, row) }) })
			}
			if err != nil {
				return err
			}
			if n%10 == 0 {
				if open := ask[int](t, p, "select count(*) from pg_stat_activity where usename = $1", pool.User()); open > 2*size { // one that says goodbye is still there for a moment
					return fmt.Errorf("the server has %d connections", open)
				}
			}
		}
		return nil
	})
	within(t, 2*farewell, "all connections are back", func() bool { return pool.out() == 0 })
	var all []*conn
	for range size {
		c, err := pool.acquire(t.Context(), "")
		check(t, err)
		all = append(all, c)
	}
	for _, c := range all {
		if l := leftOn(t, pool, c); l != "" {
			t.Errorf("a connection keeps %s", l)
		}
		pool.release(c)
	}
}
