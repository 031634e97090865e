package tenancy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// serversBehind is how many server connections the tests' pooler shares.
const serversBehind = 3

// behindPooler is the platform's database through PgBouncer, whose server connections are fewer than the pool's.
func behindPooler(t *testing.T, p *platform) (*DB, *Pool) {
	t.Helper()
	pool := openPool(t, testenv.PgBouncer(t, p.RuntimeURL, serversBehind), 16)
	return NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}}), pool
}

// eachServer asks every server connection behind a pooler, by taking all of them at once, and returns their processes.
func eachServer(t *testing.T, pool *Pool, ask func(pid int, c *conn)) (pids []int) {
	t.Helper()
	for range serversBehind {
		c, err := pool.acquire(t.Context(), "")
		check(t, err)
		defer pool.release(c)
		_, err = c.Exec(t.Context(), "begin")
		check(t, err)
		defer func() { _, _ = c.Exec(context.WithoutCancel(t.Context()), "rollback") }()
		var pid int
		check(t, c.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&pid))
		if slices.Contains(pids, pid) {
			t.Fatalf("two transactions at once are in process %d", pid)
		}
		pids = append(pids, pid)
		ask(pid, c)
	}
	return pids
}

// TestTenantsDoNotMixBehindAPooler: 16 clients of two tenants share three server connections, and fail, give up and panic in
// between. No statement sees the other tenant, and no server connection remembers anybody.
func TestTenantsDoNotMixBehindAPooler(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := behindPooler(t, p)
	tenants := []Tenant{p.tenant(t), p.tenant(t)}
	for _, tenant := range tenants {
		check(t, db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, `insert into idempotency_keys (scope, key_hash, answer, created_at) values ('whose', '', $1, now())`, tenant.ID.String())
			return err
		}))
	}
	const query = `select answer, current_user::text, current_setting('search_path') from idempotency_keys where scope = $1`
	whole := func(whose, user, path string, t Tenant) error {
		if name := namespace(t.ID); whose != t.ID.String() || user != name || path != name {
			return fmt.Errorf("tenant %s reads the row of %s as %s in %s", t.ID, whose, user, path)
		}
		return nil
	}
	onPurpose := errors.New("on purpose")
	visits := []func(context.Context, context.CancelFunc, Tenant) error{
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error {
			return db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				var whose, user, path string
				return errors.Join(tx.QueryRow(ctx, query, "whose").Scan(&whose, &user, &path), whole(whose, user, path, tenant))
			})
		},
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error {
			return db.InBatch(ctx, tenant, func(q *Batch) {
				q.Queue(query, "whose").QueryRow(func(row pgx.Row) error {
					var whose, user, path string
					return errors.Join(row.Scan(&whose, &user, &path), whole(whose, user, path, tenant))
				})
			})
		},
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error { // a statement that fails
			err := db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				_, err := tx.Exec(ctx, "select 1/$1::int", 0)
				return err
			})
			return unless(sqlState(err) == "22012", err)
		},
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error {
			err := db.InBatch(ctx, tenant, func(q *Batch) { q.Queue(query, "whose"); q.Queue("select 1/$1::int", 0) })
			return unless(sqlState(err) == "22012", err)
		},
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error { // a caller who does
			err := db.InTx(ctx, tenant, func(context.Context, Tx) error { return onPurpose })
			return unless(errors.Is(err, onPurpose), err)
		},
		func(ctx context.Context, cancel context.CancelFunc, tenant Tenant) error { // one who gives up, at any moment
			defer time.AfterFunc(time.Duration(rand.IntN(4000))*time.Microsecond, cancel).Stop()
			_ = db.InTx(ctx, tenant, func(ctx context.Context, tx Tx) error {
				_, err := tx.Exec(ctx, "select pg_sleep($1)", 0.003)
				return err
			})
			return nil
		},
		func(ctx context.Context, _ context.CancelFunc, tenant Tenant) error { // one who panics
			defer func() { _ = recover() }()
			return db.InTx(ctx, tenant, func(context.Context, Tx) error { panic("on purpose") })
		},
	}
	inParallel(t, 16, func(i int) error {
		for n := range 120 {
			ctx, cancel := context.WithCancel(t.Context())
			err := visits[rand.IntN(len(visits))](ctx, cancel, tenants[(i+n)%2])
			cancel()
			if err != nil {
				return err
			}
		}
		return nil
	})
	eachServer(t, pool, func(pid int, c *conn) {
		var role, user, path, timeout string
		var prepared, locks int
		check(t, c.QueryRow(t.Context(), `select current_setting('role'), current_user::text, current_setting('search_path'), current_setting('statement_timeout'),
			(select count(*) from pg_prepared_statements where name <> ''), (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')`).
			Scan(&role, &user, &path, &timeout, &prepared, &locks))
		want := fmt.Sprint("none ", pool.User(), " tenant_template 2s 0 0")
		if got := fmt.Sprint(role, " ", user, " ", path, " ", timeout, " ", prepared, " ", locks); got != want {
			t.Errorf("server connection %d has %s, want %s", pid, got, want)
		}
	})
}

// unless is the error where what was to come did not.
func unless(came bool, err error) error {
	if came {
		return nil
	}
	return fmt.Errorf("what came instead is %w", err)
}

// TestTheFirstConnectionFindsThePooler: what keeps something on its connection is not used through one, and refused where
// it is needed.
func TestTheFirstConnectionFindsThePooler(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := behindPooler(t, p)
	check(t, db.Check(t.Context()))
	if !pool.through.Load() || p.pool.through.Load() {
		t.Errorf("PgBouncer is found: %t; where there is none: %t", pool.through.Load(), p.pool.through.Load())
	}
	through := testenv.PgBouncer(t, p.RuntimeURL, 1)
	jobs, err := NewJobsPool(t.Context(), through, 1)
	check(t, err)
	t.Cleanup(jobs.Close)
	if err := jobs.Ping(t.Context()); !errors.Is(err, ErrPooled) {
		t.Errorf("jobs through it: %v", err)
	}
	provisioning := provisioningPool(t, testenv.PgBouncer(t, p.ProvisionerURL, 1), 1)
	if err := provisioning.Ping(t.Context()); !errors.Is(err, ErrPooled) {
		t.Errorf("provisioning through it: %v", err)
	}
	d := NewDirectory(DirectoryOptions{DB: db})
	var deaf atomic.Bool
	deaf.Store(true)
	if err := d.hear(t.Context(), pool, &deaf); !errors.Is(err, ErrPooled) || !deaf.Load() {
		t.Errorf("listening through it: %v", err)
	}
	check(t, pool.Around(p.RuntimeURL))
	around := NewDirectory(DirectoryOptions{DB: db})
	listen(t, around)
	tenant := p.tenant(t)
	if _, err := around.ByID(t.Context(), tenant.ID); err != nil {
		t.Errorf("a tenant found through it: %v", err)
	}
}

// TestARefusedRoleEndsTheServerConnection: a process that has not heard of a role would refuse it to whoever is lent it next.
func TestARefusedRoleEndsTheServerConnection(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	pool := openPool(t, testenv.PgBouncer(t, p.RuntimeURL, 1), 2)
	db := NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}})
	giver := " granted by " + rolesFrom(t, p.SuperuserURL, p.RuntimeURL, p.ProvisionerURL).Provisioner // else it is the superuser's own gift, from 16 on
	pid := func() (pid int) {
		check(t, pool.row(t.Context(), "select pg_backend_pid()", nil, &pid))
		return pid
	}
	for what, do := range map[string]func() error{
		"InTx":    func() error { return db.InTx(t.Context(), tenant, names) },
		"InBatch": func() error { return db.InBatch(t.Context(), tenant, func(q *Batch) { q.Queue("select 1") }) },
	} {
		check(t, do())
		before := pid()
		p.do(t, "revoke "+namespace(tenant.ID)+" from "+pool.User()+giver)
		if err := do(); !roleRefused(err) {
			t.Fatalf("%s: the role is not refused: %v", what, err)
		}
		p.do(t, "grant "+namespace(tenant.ID)+" to "+pool.User()+giver)
		if pid() == before {
			t.Errorf("%s: the process that refused serves on", what)
		}
		check(t, do())
	}
}

// TestAnIdleConnectionToAPoolerIsAsked: the question is whether it is alive, and is answered by PgBouncer or by the server.
func TestAnIdleConnectionToAPoolerIsAsked(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := behindPooler(t, p)
	tenant := p.tenant(t)
	check(t, db.InTx(t.Context(), tenant, names))
	pool.mu.Lock()
	for _, c := range pool.idle {
		c.since = time.Now().Add(-time.Hour)
	}
	pool.mu.Unlock()
	check(t, db.InTx(t.Context(), tenant, names))
}
