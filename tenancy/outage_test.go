package tenancy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// promised is how soon a client is told that a dependency is down.
const promised = 2 * time.Second

// unavailable runs fn and holds its error against the promise: 503 with Retry-After, in time.
func unavailable(t *testing.T, what string, fn func() error) {
	t.Helper()
	began := time.Now()
	err := fn()
	took := time.Since(began)
	e, ok := errors.AsType[*problem.Error](err)
	switch {
	case !ok || e.Kind != problem.KindUnavailable || e.RetryAfter <= 0:
		t.Errorf("%s: %v, want unavailable with Retry-After", what, err)
	case took > promised:
		t.Errorf("%s: took %v", what, took.Round(time.Millisecond))
	}
}

// everything is each way to Postgres that a request takes.
func everything(t *testing.T, p *platform, tenant Tenant) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	return map[string]func() error{
		"InTx": func() error { return p.db.InTx(ctx, tenant, names) },
		"InBatch": func() error {
			return p.db.InBatch(ctx, tenant, func(q *Batch) { q.Queue("select count(*) from users") })
		},
		"inDirectory": func() error { _, err := p.directory.Read(ctx, tenant.ID); return err },
		"a lookup":    func() error { _, err := p.directory.BySlug(ctx, newSlug()); return notUnknown(err) },
		"Ready":       func() error { return p.db.Ready(ctx) },
		"Create":      func() error { _, err := p.provision.Create(ctx, wanted()); return err },
		"Update":      func() error { name := "New"; return p.provision.Update(ctx, tenant.ID, Change{Name: &name}) },
		"Keyring":     func() error { _, err := NewKeyring(p.db, p.clock.now).Of(ctx, tenant); return err },
		"Repeat": func() error {
			_, err := p.repeat.Create(ctx, tenant, Operation{Name: "POST /test", Key: string(newSlug())}, func(context.Context) (any, func(context.Context, Tx) error, error) {
				return "x", func(context.Context, Tx) error { return nil }, nil
			})
			return err
		},
	}
}

func notUnknown(err error) error {
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

func recovers(t *testing.T, p *platform, tenant Tenant) {
	t.Helper()
	for what, fn := range everything(t, p, tenant) {
		took := within(t, 10*time.Second, what+" works again", func() bool { return fn() == nil })
		if took > time.Second {
			t.Logf("%s worked again after %v", what, took.Round(time.Millisecond))
		}
	}
}

func TestPostgresGoesAndComesBack(t *testing.T) {
	t.Parallel()
	in, server := tenancytest.OwnPostgres(t)
	p := assemble(t, in)
	tenant := p.tenant(t)
	listen(t, p.directory)
	recovers(t, p, tenant) // everything works, and connections are open
	for _, outage := range []struct {
		name    string
		begin   func()
		restore func() error
	}{
		{"stopped", func() { check(t, server.Stop()) }, func() error { return server.Restart(t.Context()) }},
		{"killed", server.Kill, func() error { return server.Restart(t.Context()) }},
	} {
		outage.begin()
		for what, fn := range everything(t, p, tenant) {
			unavailable(t, what+" while Postgres is "+outage.name, fn)
		}
		check(t, outage.restore())
		recovers(t, p, tenant)
		within(t, 10*time.Second, "the directory hears again", func() bool { return !p.directory.deaf.Load() })
	}
}

// TestPostgresHangs: connections stay open and nothing answers, as when a machine or a disk stands still.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	in, server := tenancytest.OwnPostgres(t)
	p := assemble(t, in)
	tenant := p.tenant(t)
	recovers(t, p, tenant)
	resume := pause(t, p, server)
	for what, fn := range everything(t, p, tenant) {
		unavailable(t, what+" while Postgres hangs", fn)
	}
	resume()
	recovers(t, p, tenant)
}

// pause stops every process of a server in mid-air, and returns what lets them go on.
func pause(t *testing.T, p *platform, server *pgproc.Server) (resume func()) {
	t.Helper()
	conn := p.behind(t)
	// A connection that is being opened now would not be among those that are stopped.
	within(t, 20*time.Second, "no connection is being opened", func() bool { return p.db.control.out() == 0 })
	check(t, syscall.Kill(server.PID(), syscall.SIGSTOP))
	rows, err := conn.Query(t.Context(), "select pid from pg_stat_activity where pid <> pg_backend_pid()")
	check(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	check(t, err)
	check(t, conn.Close(t.Context()))
	pids = append([]int{server.PID()}, pids...) // first the one that starts others
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, s) // one may have ended meanwhile
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	return func() { signal(syscall.SIGCONT) }
}

// TestWhatPostgresRefusesForNow brings each condition about for real.
func TestWhatPostgresRefusesForNow(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	role := p.pool.User()
	t.Run("a statement over its time", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		unavailable(t, "sleeping", func() error {
			return p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "select pg_sleep(5)"); return err })
		})
		unavailable(t, "sleeping in a batch", func() error {
			return p.db.InBatch(t.Context(), tenant, func(q *Batch) { q.Queue("select pg_sleep(5)") })
		})
	})
	t.Run("a row somebody holds", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		holder := p.behind(t)
		_, err := holder.Exec(t.Context(), "begin; lock table "+namespace(tenant.ID)+".users")
		check(t, err)
		unavailable(t, "waiting for the lock", func() error {
			return p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "delete from users"); return err })
		})
	})
	t.Run("all connections are busy", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		db, pool := narrow(t, p)
		taken, err := pool.acquire(t.Context(), "")
		check(t, err)
		for what, fn := range everything(t, &platform{db: db, directory: NewDirectory(DirectoryOptions{DB: db}), repeat: NewRepeat(db, p.runtime, time.Now), provision: p.provision}, tenant) {
			if what != "Create" && what != "Update" {
				unavailable(t, what, fn)
			}
		}
		pool.release(taken)
		check(t, db.InTx(t.Context(), tenant, names))
	})
	t.Run("the tenant's own line is long and then the server is slow", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		db, _ := narrow(t, p)
		holding := make(chan struct{})
		held := make(chan error, 1)
		go func() {
			held <- db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
				close(holding)
				_, err := tx.Exec(ctx, "select pg_sleep(1)")
				return err
			})
		}()
		<-holding
		unavailable(t, "waiting and sleeping", func() error {
			return db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "select pg_sleep(5)"); return err })
		})
		check(t, <-held)
	})
	t.Run("the backend is killed", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		db, _ := narrow(t, p)
		unavailable(t, "the next statement", func() error {
			return db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
				var pid int
				if err := tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
					return err
				}
				p.do(t, "select pg_terminate_backend($1, 5000)", pid)
				return names(ctx, tx)
			})
		})
		check(t, db.InTx(t.Context(), tenant, names)) // at once: the pool does not give the dead one out again
	})
	t.Run("the backend of an idle connection is killed", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		db, pool := narrow(t, p)
		check(t, db.InTx(t.Context(), tenant, names))
		var pid int
		check(t, pool.row(t.Context(), "select pg_backend_pid()", nil, &pid))
		p.do(t, "select pg_terminate_backend($1, 5000)", pid)
		if err := db.InTx(t.Context(), tenant, names); err != nil {
			unavailable(t, "the next transaction", func() error { return err })
		}
		check(t, db.InTx(t.Context(), tenant, names))
	})
	t.Run("the network is cut", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		network := newRelay(t, p.RuntimeURL)
		pool := openPool(t, network.url, 1)
		db := NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}})
		for what, end := range map[string]func(context.Context, Tx) error{
			"in a transaction": names,
			"in a statement": func(ctx context.Context, tx Tx) error {
				defer time.AfterFunc(50*time.Millisecond, network.cut).Stop()
				_, err := tx.Exec(ctx, "select pg_sleep(1)")
				return err
			},
			"in a query": func(ctx context.Context, tx Tx) error {
				defer time.AfterFunc(50*time.Millisecond, network.cut).Stop()
				return tx.QueryRow(ctx, "select pg_sleep($1)", 1).Scan(nil)
			},
			"before the commit": func(context.Context, Tx) error { return nil },
		} {
			unavailable(t, what, func() error {
				return db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
					if what == "in a transaction" || what == "before the commit" {
						network.cut()
					}
					return end(ctx, tx)
				})
			})
			check(t, db.InTx(t.Context(), tenant, names))
		}
	})
	t.Run("the outcome of the commit is unknown", func(t *testing.T) {
		t.Parallel()
		tenant := p.tenant(t)
		lock := delayCommit(t, p, tenant)
		db, _ := narrow(t, p)
		unavailable(t, "the commit", func() error {
			return db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
				var pid int
				if err := tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "insert into idempotency_keys (scope, key_hash, answer, created_at) values ('x', '', '', now())"); err != nil {
					return err
				}
				go func() { // once the commit waits, its connection is cut
					conn, err := pgx.Connect(ctx, p.SuperuserURL)
					if err != nil {
						return
					}
					defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
					for waiting := false; !waiting && ctx.Err() == nil; {
						_ = conn.QueryRow(ctx, "select exists (select from pg_locks where pid = $1 and objid = $2 and not granted)", pid, lock).Scan(&waiting)
					}
					_, _ = conn.Exec(ctx, "select pg_terminate_backend($1)", pid)
				}()
				return nil
			})
		})
	})
	t.Run("the server takes no more connections", func(t *testing.T) {
		t.Parallel()
		full := newPlatform(t)
		tenant := full.tenant(t)
		full.pool.reset()
		full.do(t, "alter role "+full.pool.User()+" connection limit 0")
		unavailable(t, "connecting", func() error { return full.db.InTx(t.Context(), tenant, names) })
		full.do(t, "alter role "+full.pool.User()+" connection limit -1")
		check(t, full.db.InTx(t.Context(), tenant, names))
	})
	t.Run("the server has become a read-only standby", func(t *testing.T) {
		t.Parallel()
		standby := newPlatform(t)
		tenant := standby.tenant(t)
		standby.pool.reset()
		standby.do(t, "alter role "+standby.pool.User()+" set default_transaction_read_only = on")
		check(t, standby.db.InTx(t.Context(), tenant, names))
		unavailable(t, "writing", func() error {
			return standby.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "delete from users"); return err })
		})
	})
	for name, change := range map[string]func(u *url.URL){
		"the password was changed":  func(u *url.URL) { u.User = url.UserPassword(role, "wrong") },
		"the database is not there": func(u *url.URL) { u.Path = "/missing" },
		"nobody listens":            func(u *url.URL) { u.Host = "127.0.0.1:1" },
		"the name does not resolve": func(u *url.URL) { u.Host = "postgres.invalid:5432" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(p.RuntimeURL)
			check(t, err)
			change(u)
			pool := openPool(t, u.String(), 1)
			db := NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}})
			tenant := p.tenant(t)
			unavailable(t, "InTx", func() error { return db.InTx(t.Context(), tenant, names) })
			unavailable(t, "InBatch", func() error { return db.InBatch(t.Context(), tenant, func(q *Batch) { q.Queue("select 1") }) })
			unavailable(t, "Ready", func() error { return db.Ready(t.Context()) })
		})
	}
}

// delayCommit makes every commit in a tenant's schema that wrote an idempotency key wait for a lock, which the test
// holds; it returns the lock's number.
func delayCommit(t *testing.T, p *platform, tenant Tenant) (lock int) {
	t.Helper()
	lock = int(time.Now().UnixNano() % 1_000_000_007)
	schema := namespace(tenant.ID)
	p.do(t, fmt.Sprintf(`create function %[1]s.hesitate() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(%[2]d); return null; end $$;
		create constraint trigger hesitate after insert on %[1]s.idempotency_keys deferrable initially deferred for each row execute function %[1]s.hesitate()`, schema, lock))
	_, err := p.behind(t).Exec(t.Context(), "select pg_advisory_lock($1)", lock)
	check(t, err)
	return lock
}

// TestWhatIsNotAnOutage: a fault of ours must not be told as one, or it would be retried for ever and never mended.
func TestWhatIsNotAnOutage(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	own := errors.New("the caller's own")
	for name, fn := range map[string]func(ctx context.Context, tx Tx) error{
		"a broken statement": func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, "select nonsense"); return err },
		"a breach of a rule": func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, "insert into users default values")
			return err
		},
		"the caller's error": func(context.Context, Tx) error { return own },
		"no row":             func(ctx context.Context, tx Tx) error { return tx.QueryRow(ctx, "select 1 where false").Scan(new(int)) },
		"a right not granted": func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, "select count(*) from control.tenants")
			return err
		},
	} {
		if err := p.db.InTx(t.Context(), tenant, fn); codeOf(err) != "internal" {
			t.Errorf("%s: %v", name, err)
		}
	}
	refusal := problem.Forbidden()
	if err := p.db.InTx(t.Context(), tenant, func(context.Context, Tx) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("a refusal of the caller becomes %v", err)
	}
	missing := tenant
	missing.ID[15]++
	if err := p.db.InTx(t.Context(), missing, names); codeOf(err) != "not_found" {
		t.Errorf("a tenant without a schema, as one that is deleted: %v", err)
	}
}

// TestAClientThatLeftIsNoOutage: its error is its own, so that nobody counts it against the database.
func TestAClientThatLeftIsNoOutage(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	for name, when := range map[string]func(cancel func()) func(ctx context.Context, tx Tx) error{
		"before": func(cancel func()) func(context.Context, Tx) error { cancel(); return names },
		"during": func(cancel func()) func(context.Context, Tx) error {
			return func(ctx context.Context, tx Tx) error {
				defer time.AfterFunc(20*time.Millisecond, cancel).Stop()
				_, err := tx.Exec(ctx, "select pg_sleep(1)")
				return err
			}
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := p.db.InTx(ctx, tenant, when(cancel))
		if _, told := errors.AsType[*problem.Error](err); told || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	check(t, p.db.InTx(t.Context(), tenant, names))
}

// TestCheckRefusesAnUnsafeRole: isolation rests on what the serving role may not.
func TestCheckRefusesAnUnsafeRole(t *testing.T) {
	t.Parallel()
	for change, reason := range map[string]string{
		"superuser": "superuser", "inherit": "NOINHERIT", "bypassrls": "row security", "createrole": "create roles", "createdb": "databases",
		"set search_path = public": "search_path",
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			check(t, p.db.Check(t.Context()))
			role := p.pool.User()
			if strings.HasPrefix(change, "set ") {
				change = "in database " + strings.TrimPrefix(p.pool.config.Database, "/") + " " + change
			}
			p.do(t, "alter role "+role+" "+change)
			p.pool.reset()
			unsafe, ok := errors.AsType[*UnsafeRoleError](p.db.Check(t.Context()))
			if !ok || len(unsafe.Reasons) != 1 || !strings.Contains(unsafe.Error(), reason) {
				t.Errorf("%v, want the one about %s", unsafe, reason)
			}
		})
	}
	p := newPlatform(t)
	p.do(t, "update control.schema_migrations set version = 0")
	if err := p.db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "gatehouse migrate") {
		t.Errorf("a directory that is behind: %v", err)
	}
}
