package tenancy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// narrow is the platform's database through a pool of one connection, so that what a transaction leaves behind is seen
// by the next one.
func narrow(t *testing.T, p *platform) (*DB, *Pool) {
	t.Helper()
	pool := openPool(t, p.RuntimeURL, 1)
	return NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}}), pool
}

// left is what is different about a connection of the pool from a fresh one of the serving role; "" if nothing.
func left(t *testing.T, pool *Pool) string {
	t.Helper()
	conn, err := pool.acquire(t.Context(), "")
	check(t, err)
	defer pool.release(conn)
	return leftOn(t, pool, conn)
}

func leftOn(t *testing.T, pool *Pool, conn *conn) string {
	t.Helper()
	var role, user, path, timeout string
	var locks, temporary, channels int
	if status := conn.PgConn().TxStatus(); status != 'I' {
		return fmt.Sprintf("a transaction (%c)", status)
	}
	check(t, conn.QueryRow(t.Context(), `select current_setting('role'), current_user::text, current_setting('search_path'), current_setting('statement_timeout'),
		(select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'),
		(select count(*) from pg_class where relpersistence = 't'), (select count(*) from pg_listening_channels())`).
		Scan(&role, &user, &path, &timeout, &locks, &temporary, &channels))
	want := fmt.Sprint("none ", pool.User(), " tenant_template 2s 0 0 0")
	if got := fmt.Sprint(role, " ", user, " ", path, " ", timeout, " ", locks, " ", temporary, " ", channels); got != want {
		return got
	}
	return ""
}

func names(ctx context.Context, tx Tx) error {
	var user, path string
	if err := tx.QueryRow(ctx, `select current_user::text, current_setting('search_path')`).Scan(&user, &path); err != nil {
		return err
	}
	if want := namespace(tx.Tenant().ID); user != want || path != want {
		return fmt.Errorf("running as %s in %s, want %s", user, path, want)
	}
	return nil
}

func TestATransactionRunsAsItsTenantAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a, b := p.tenant(t), p.tenant(t)
	for range 3 {
		for _, tenant := range []Tenant{a, b} {
			check(t, db.InTx(t.Context(), tenant, names))
			var user, path string
			check(t, db.InBatch(t.Context(), tenant, func(q *Batch) {
				q.Queue(`select current_user::text, current_setting('search_path')`).QueryRow(func(row pgx.Row) error { return row.Scan(&user, &path) })
			}))
			if want := namespace(tenant.ID); user != want || path != want {
				t.Errorf("a batch runs as %s in %s, want %s", user, path, want)
			}
			check(t, db.inDirectory(t.Context(), func(ctx context.Context, tx directoryTx) error {
				_, err := tenantByID(ctx, tx, tenant.ID)
				return err
			}))
			if l := left(t, pool); l != "" {
				t.Fatalf("the connection keeps %s", l)
			}
		}
	}
}

func TestAQueryWithoutATenantIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a := p.tenant(t)
	for i := range 3 { // before, between and after transactions of a tenant
		for _, query := range []string{"select count(*) from users", "select count(*) from " + namespace(a.ID) + ".users", "delete from sessions",
			"select count(*) from control.tenants", "update control.domains set is_primary = false"} {
			err := pool.with(t.Context(), "", func(c *conn) error { _, err := c.Exec(t.Context(), query); return err })
			if sqlState(err) != "42501" {
				t.Errorf("%s: %v, want 42501", query, err)
			}
		}
		if i%2 == 0 {
			check(t, db.InTx(t.Context(), a, names))
		} else {
			check(t, db.InBatch(t.Context(), a, func(q *Batch) { q.Queue("select count(*) from users") }))
		}
	}
}

func TestTheDirectorysRoleReachesNoTenant(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	a := p.tenant(t)
	for _, query := range []string{"select count(*) from " + namespace(a.ID) + ".users", "update tenants set state = 'suspended'", "delete from tenants",
		"insert into tenants select * from tenants", "create table control.mine (id int)", "drop table domains"} {
		err := p.db.inDirectory(t.Context(), func(ctx context.Context, tx directoryTx) error {
			_, err := tx.Exec(ctx, query)
			return err
		})
		if sqlState(err) != "42501" {
			t.Errorf("%s: %v, want 42501", query, err)
		}
	}
}

// TestATenantCannotReachAnother is the promise. What is no row access at all is refused before it is sent.
func TestATenantCannotReachAnother(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	db, pool := narrow(t, p)
	a, b := p.tenant(t), p.tenant(t)
	other := namespace(b.ID)
	for statement, want := range map[string]string{
		"select count(*) from " + other + ".users":                                       "42501",
		"insert into " + other + ".users select * from users":                            "42501",
		"update " + other + ".api_keys set scopes = '{}'":                                "42501",
		"delete from " + other + ".sessions":                                             "42501",
		"with x as (delete from " + other + ".users returning 1) select count(*) from x": "42501",
		"select count(*) from control.tenants":                                           "42501",
		"select count(*) from control.domains":                                           "42501",
		"select version from schema_migrations":                                          "42501",
		"select pg_read_file('PG_VERSION')":                                              "42501",
		"set role " + other:                                                              "refused",
		"set local role " + other:                                                        "refused",
		"set session role " + other:                                                      "refused",
		"  Set\nRole " + other:                                                           "refused",
		"/* a comment */ set role " + other:                                              "refused",
		"reset role":                                                                     "refused",
		"set role none":                                                                  "refused",
		"set session authorization default":                                              "refused",
		"set search_path to " + other:                                                    "refused",
		"reset all":                                                                      "refused",
		"discard all":                                                                    "refused",
		"select set_config('role', '" + other + "', true)":                               "refused",
		"select Set_Config('search_path', '" + other + "', false)":                       "refused",
		"select pg_advisory_lock(1)":                                                     "refused",
		"select 1; set role " + other + "; select count(*) from " + other + ".users":     "refused",
		"commit":                  "refused",
		"rollback and chain":      "refused",
		"prepare transaction 'x'": "refused",
		"do $$ begin perform set_config('role', 'none', true); end $$": "refused",
		"listen gatehouse_directory":                                   "refused",
		"create temp table mine (id int)":                              "refused",
		"copy users to stdout":                                         "refused",
		"declare c cursor with hold for select 1":                      "refused",
		"": "refused",
	} {
		ways := map[string]func(context.Context, Tx) error{
			"Exec": func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, statement); return err },
			"Query": func(ctx context.Context, tx Tx) error {
				rows, err := tx.Query(ctx, statement)
				if err != nil {
					return err
				}
				rows.Close()
				return rows.Err()
			},
			"QueryRow": func(ctx context.Context, tx Tx) error { return tx.QueryRow(ctx, statement).Scan(nil) },
		}
		got := map[string]error{}
		for name, way := range ways {
			got[name] = db.InTx(t.Context(), a, way)
		}
		got["InBatch"] = db.InBatch(t.Context(), a, func(q *Batch) {
			q.Queue("select 1")
			q.Queue(statement).Query(func(pgx.Rows) error { return nil })
		})
		for name, err := range got {
			refused := errors.Is(err, ErrStatement)
			if (want == "refused") != refused || !refused && sqlState(err) != want {
				t.Errorf("%s of %q: %v, want %s", name, statement, err, want)
			}
		}
		if l := left(t, pool); l != "" {
			t.Errorf("%q leaves %s on the connection", statement, l)
		}
	}
	// The role holds also where the search_path was pointed elsewhere behind the service's back.
	err := inTx(t.Context(), pool, other, namespace(a.ID), func(ctx context.Context, c *conn) error {
		_, err := c.Exec(ctx, "select count(*) from users")
		return err
	})
	if state := sqlState(err); state != "42501" && state != "42P01" {
		t.Errorf("another's search_path under one's own role: %v", err)
	}
}

func TestTheZeroTenantIsRefused(t *testing.T) {
	t.Parallel()
	nowhere := openPool(t, "postgres://nobody@127.0.0.1:1/none", 1)
	db := NewDB(DBOptions{Tenants: map[string]*Pool{testDatabase: nowhere}})
	for name, tenant := range map[string]Tenant{
		"SQL without a tenant": {Database: testDatabase}, `database ""`: {ID: id.NewTenant()}, `database "elsewhere"`: {ID: id.NewTenant(), Database: "elsewhere"},
	} {
		tx := db.InTx(t.Context(), tenant, func(context.Context, Tx) error { t.Errorf("%s: fn ran", name); return nil })
		batch := db.InBatch(t.Context(), tenant, func(*Batch) { t.Errorf("%s: the batch was filled", name) })
		code := "internal"
		if !tenant.ID.IsZero() {
			code = "unavailable" // here: a replica that is started later may know the database
		}
		for _, err := range []error{tx, batch} { // refused before a server is asked
			if err == nil || !strings.Contains(err.Error(), name) || codeOf(err) != code {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestNothingIsLeftHoweverATransactionEnds: the next user of the connection must not notice.
func TestNothingIsLeftHoweverATransactionEnds(t *testing.T) { //nolint:tparallel // the group of subtests is waited for
	t.Parallel()
	p := newPlatform(t)
	a := p.tenant(t)
	write := func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, `insert into idempotency_keys (scope, key_hash, answer, created_at) values ('left', '', '', now())`)
		return err
	}
	ends := map[string]func(ctx context.Context, cancel func(), tx Tx) error{
		"an error of fn":         func(context.Context, func(), Tx) error { return errors.New("no") },
		"an error of the server": func(ctx context.Context, _ func(), tx Tx) error { _, err := tx.Exec(ctx, "select 1/0"); return err },
		"an error nobody told": func(ctx context.Context, _ func(), tx Tx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		},
		"a panic": func(context.Context, func(), Tx) error { panic("on purpose") },
		"a panic with rows open": func(ctx context.Context, _ func(), tx Tx) error {
			_, _ = tx.Query(ctx, "select generate_series(1, 1000)") //nolint:sqlclosecheck // that is the point
			panic("on purpose")
		},
		"rows left open": func(ctx context.Context, _ func(), tx Tx) error {
			_, err := tx.Query(ctx, "select generate_series(1, 1000000)") //nolint:sqlclosecheck // that is the point
			return err
		},
		"a cancelled client": func(_ context.Context, cancel func(), _ Tx) error { cancel(); return nil },
		"a client cancelled while the server works": func(ctx context.Context, cancel func(), tx Tx) error {
			defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
			_, err := tx.Exec(ctx, "select pg_sleep(10)")
			return err
		},
		"a server too slow": func(ctx context.Context, _ func(), tx Tx) error {
			_, err := tx.Exec(ctx, "select pg_sleep(10)")
			return err
		},
		"fn ending the goroutine": func(context.Context, func(), Tx) error { runtime.Goexit(); return nil },
	}
	t.Run("ends", func(t *testing.T) { // returns when all have
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				db, pool := narrow(t, p)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				failed := make(chan bool, 1)
				go func() {
					ok := true
					defer func() { ok = recover() != nil || ok; failed <- ok }()
					ok = db.InTx(ctx, a, func(ctx context.Context, tx Tx) error {
						if err := write(ctx, tx); err != nil {
							return err
						}
						return end(ctx, cancel, tx)
					}) != nil
				}()
				if !<-failed {
					t.Error("it was reported as done")
				}
				if l := left(t, pool); l != "" {
					t.Errorf("the connection keeps %s", l)
				}
				check(t, db.InTx(t.Context(), a, names))
				if n := pool.out(); n != 0 {
					t.Errorf("%d connections are out", n)
				}
			})
		}
	})
	if n := ask[int](t, p, "select count(*) from "+namespace(a.ID)+".idempotency_keys where scope = 'left'"); n != 0 {
		t.Errorf("%d rows were written by transactions that failed", n)
	}
	within(t, 5*time.Second, "no transaction is left open", func() bool {
		return ask[int](t, p, "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'") == 0
	})
}

func TestNothingIsLeftHoweverABatchEnds(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	a := p.tenant(t)
	for name, fill := range map[string]func(q *Batch, cancel func()){
		"an error of the server":    func(q *Batch, _ func()) { q.Queue("select 1/0") },
		"a statement that is wrong": func(q *Batch, _ func()) { q.Queue("select nonsense from users") },
		"an error of a callback": func(q *Batch, _ func()) {
			q.Queue("select 1").QueryRow(func(pgx.Row) error { return errors.New("no") })
		},
		"a panic in a callback": func(q *Batch, _ func()) {
			q.Queue("select generate_series(1, 100000)").Query(func(pgx.Rows) error { panic("on purpose") })
			q.Queue("select 1")
		},
		"a panic while filling":     func(*Batch, func()) { panic("on purpose") },
		"a cancelled client":        func(q *Batch, cancel func()) { cancel(); q.Queue("select 1") },
		"a server that is too slow": func(q *Batch, _ func()) { q.Queue("select pg_sleep(10)") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, pool := narrow(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			func() {
				defer func() { _ = recover() }()
				if err := db.InBatch(ctx, a, func(q *Batch) { fill(q, cancel) }); err == nil {
					t.Error("it was reported as done")
				}
			}()
			if l := left(t, pool); l != "" {
				t.Errorf("the connection keeps %s", l)
			}
			check(t, db.InTx(t.Context(), a, names))
			if n := pool.out(); n != 0 {
				t.Errorf("%d connections are out", n)
			}
		})
	}
}

func TestABatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	a := p.tenant(t)
	err := p.db.InBatch(t.Context(), a, func(q *Batch) {
		q.Queue(`insert into idempotency_keys (scope, key_hash, answer, created_at) values ('one', '', '', now())`)
		q.Queue(`select 1/(select 0)`)
	})
	if sqlState(err) != "22012" {
		t.Errorf("the error is %v", err)
	}
	if n := ask[int](t, p, "select count(*) from "+namespace(a.ID)+".idempotency_keys"); n != 0 {
		t.Error("the first statement stayed though the second failed")
	}
}

// TestACommitThatWasARollbackIsAnError: Postgres answers the commit of a failed transaction with success.
func TestACommitThatWasARollbackIsAnError(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	a := p.tenant(t)
	got := map[string]error{
		"InTx": p.db.InTx(t.Context(), a, func(ctx context.Context, tx Tx) error { _, _ = tx.Exec(ctx, "select 1/0"); return nil }),
		"inDirectory": p.db.inDirectory(t.Context(), func(ctx context.Context, tx directoryTx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		}),
		"provisioning": p.provisioning.inTx(t.Context(), func(ctx context.Context, tx provisionTx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		}),
	}
	for name, err := range got {
		if err == nil || !strings.Contains(err.Error(), "rolled back") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheProvisioningRoleLeavesNothing: schemas are made on the same connections that write the directory.
func TestTheProvisioningRoleLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.tenant(t)
	func() {
		defer func() { _ = recover() }()
		_ = p.provisioning.inTx(t.Context(), func(context.Context, provisionTx) error { panic("on purpose") })
	}()
	var path string
	check(t, p.provisioning.pool.QueryRow(t.Context(), "select current_setting('search_path')").Scan(&path))
	if want := `"$user", public`; path != want {
		t.Errorf("search_path is %s, want %s", path, want)
	}
	if n := p.provisioning.pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are out", n)
	}
}

// TestTenantsDoNotMixUnderLoad sends both ways of both tenants through few connections at once.
func TestTenantsDoNotMixUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenants := []Tenant{p.tenant(t), p.tenant(t), p.tenant(t)}
	for _, tenant := range tenants {
		check(t, p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, `insert into idempotency_keys (scope, key_hash, answer, created_at) values ('whose', '', $1, now())`, tenant.ID.String())
			return err
		}))
	}
	inParallel(t, 12, func(i int) error {
		for n := range 50 {
			tenant, whose := tenants[(i+n)%len(tenants)], ""
			const query = `select answer from idempotency_keys where scope = $1`
			var err error
			if n%2 == 0 {
				err = p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error { return tx.QueryRow(ctx, query, "whose").Scan(&whose) })
			} else {
				err = p.db.InBatch(t.Context(), tenant, func(q *Batch) {
					q.Queue(query, "whose").QueryRow(func(row pgx.Row) error { return row.Scan(&whose) })
				})
			}
			if err != nil {
				return err
			}
			if whose != tenant.ID.String() {
				return fmt.Errorf("tenant %s reads the row of %s", tenant.ID, whose)
			}
		}
		return nil
	})
}
