package tenancy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// wait bounds one transaction or batch, the wait for a connection included, so that a database that hangs is an
// honest 503 within the two seconds that clients are promised.
const wait = 1500 * time.Millisecond

// DB is the serving role's way to Postgres. Every statement runs inside one tenant's schema and role, or, for the
// directory, inside the control schema; both are set for the one transaction, so nothing is left on the connection.
type DB struct {
	control *Pool
	pools   map[string]*Pool           // by the name that tenants' records carry
	shares  map[string]*fairshare.Gate // likewise
	aside   map[string]*atomic.Bool    // likewise: did not answer when Check asked it, or was not fit to serve
	misses  chan struct{}              // lookups of the directory that its memory could not answer
}

// DBOptions configures NewDB.
type DBOptions struct {
	Control *Pool            // the database that holds the directory
	Tenants map[string]*Pool // the databases that tenants live in, by name
}

// NewDB makes a DB of open pools; the caller closes them.
func NewDB(o DBOptions) *DB {
	db := &DB{control: o.Control, pools: o.Tenants, shares: map[string]*fairshare.Gate{}, aside: map[string]*atomic.Bool{}}
	for name, pool := range o.Tenants {
		db.aside[name] = new(atomic.Bool)
		db.shares[name] = newShare(pool.size)
	}
	// A spray of host names nobody has must leave connections for those that somebody has.
	if o.Control != nil {
		db.misses = make(chan struct{}, max(1, o.Control.size/4))
	}
	return db
}

// NewProvisioningPool opens a pool of at most size connections of the provisioning role, for [NewProvisioningDB]. It goes
// around a pooler; errors of its connections: ErrPooled.
func NewProvisioningPool(ctx context.Context, url string, size int32) (*pgxpool.Pool, error) {
	c, err := poolConfig(url, size)
	if err != nil {
		return nil, err
	}
	c.AfterConnect = direct
	return pgxpool.NewWithConfig(ctx, c)
}

// NewJobsPool opens a pool of connections that work jobs. The role is taken on for the life of a connection, which then
// reaches the jobs and no tenant; so it goes around a pooler, as whatever listens. Errors of its connections: ErrPooled.
func NewJobsPool(ctx context.Context, url string, size int32) (*pgxpool.Pool, error) {
	c, err := poolConfig(url, size)
	if err != nil {
		return nil, err
	}
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := direct(ctx, conn); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "set role "+migrations.JobsRole)
		return err
	}
	return pgxpool.NewWithConfig(ctx, c)
}

func poolConfig(url string, size int32) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("tenancy: database URL: %w", err)
	}
	c.MaxConns = size
	c.MaxConnLifetime = lifetime
	c.MaxConnLifetimeJitter = lifetimeJitter
	c.ConnConfig.ConnectTimeout = time.Second
	return c, nil
}

// Tx is a transaction of one tenant. Only [DB.InTx] makes one, and store functions take one: tenant SQL without a
// tenant does not compile.
type Tx struct {
	tx     *conn
	tenant Tenant
}

// Tenant is whose transaction this is.
func (t Tx) Tenant() Tenant { return t.tenant }

// Exec runs a statement for its effect.
func (t Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := rowsOnly(sql); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.tx.Exec(ctx, t.tx.named(sql), args...)
}

// Query runs a statement for its rows.
func (t Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := rowsOnly(sql); err != nil {
		return nil, err
	}
	return t.tx.Query(ctx, t.tx.named(sql), args...)
}

// QueryRow runs a statement for its only row; no row is pgx.ErrNoRows.
func (t Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := rowsOnly(sql); err != nil {
		return noRow{err}
	}
	return t.tx.QueryRow(ctx, t.tx.named(sql), args...)
}

// Batch collects statements for [DB.InBatch].
type Batch struct {
	b   pgx.Batch
	c   *conn
	err error // of the first statement that may not be sent
}

// Queue adds a statement. Its rows are read by the callbacks of the value returned.
func (b *Batch) Queue(sql string, args ...any) *pgx.QueuedQuery {
	b.err = cmp.Or(b.err, rowsOnly(sql))
	return b.b.Queue(b.c.named(sql), args...)
}

// Fail keeps the batch from being sent: a statement of it could not be made.
func (b *Batch) Fail(err error) { b.err = cmp.Or(b.err, err) }

// InTx runs fn in one transaction of the tenant and commits if fn returns nil. Whatever must survive a refusal, such
// as a counter of failures, is therefore reported by fn through its outcome and not through its error.
//
// A database that is away, hangs or is overloaded is a [problem.Error] of kind Unavailable. The same is said when the
// outcome of a commit is unknown: repeating a creating call is safe by its Idempotency-Key.
func (db *DB) InTx(ctx context.Context, t Tenant, fn func(context.Context, Tx) error) error {
	pool, err := db.pool(t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait) // for the line and the transaction together
	defer cancel()
	release, err := db.share(ctx, t)
	if err != nil {
		return err
	}
	defer release()
	name := namespace(t.ID)
	err = inTx(ctx, pool, name, name, func(ctx context.Context, c *conn) error { return fn(ctx, Tx{c, t}) })
	return db.gone(ctx, pool, t, err)
}

// InBatch runs the queued statements as one transaction in one round trip, the choice of schema and role included:
// the extended protocol makes all statements up to the next Sync one implicit transaction. The statements must not
// depend on each other's results; an error a callback returns does not undo them.
func (db *DB) InBatch(ctx context.Context, t Tenant, queue func(*Batch)) error {
	pool, err := db.pool(t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	release, err := db.share(ctx, t)
	if err != nil {
		return err
	}
	defer release()
	err = onConn(ctx, pool, namespace(t.ID), func(c *conn) error {
		b := Batch{c: c}
		// set_config with is_local true is SET LOCAL with a parameter, so one prepared statement serves all tenants.
		b.b.Queue(`select set_config('search_path', $1, true), set_config('role', $1, true)`, namespace(t.ID))
		queue(&b)
		if b.err != nil {
			return b.err
		}
		return c.SendBatch(ctx, &b.b).Close()
	})
	return db.gone(ctx, pool, t, classify(ctx, err))
}

// directoryTx is a transaction on the platform's directory. It is a type of its own so that a function that reads a
// tenant's tables cannot be handed one.
type directoryTx struct{ *conn }

func (db *DB) inDirectory(ctx context.Context, fn func(context.Context, directoryTx) error) error {
	return inTx(ctx, db.control, migrations.ControlSchema, migrations.DirectoryRole,
		func(ctx context.Context, c *conn) error { return fn(ctx, directoryTx{c}) })
}

// Ready reports whether the directory answers. Another database that is away is its own tenants' trouble: a replica that
// took itself out for it would take it to all others.
func (db *DB) Ready(ctx context.Context) error { return pings(ctx, db.control) }

// Away asks a database whether it is there. It tells those who walk over tenants and met one whose database could not
// answer what to think of the next.
func (db *DB) Away(ctx context.Context, database string) bool {
	pool := db.pools[database]
	return pool == nil || db.aside[database].Load() || pings(ctx, pool) != nil
}

// Busiest are the tenants of a database that want most of its connections at this replica, at this moment.
func (db *DB) Busiest(database string, most int) []fairshare.Demand {
	if gate := db.shares[database]; gate != nil {
		return gate.Busiest(most)
	}
	return nil
}

func pings(ctx context.Context, pool *Pool) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return classify(ctx, pool.Ping(ctx))
}

// share waits for the tenant's turn at the connections, no longer than for anything else. Errors: 429 rate_limited where
// the tenant wants more than its share, 503.
func (db *DB) share(ctx context.Context, t Tenant) (release func(), err error) {
	release, err = db.shares[t.Database].Enter(ctx, t.ID)
	return release, classify(ctx, err)
}

// miss is inDirectory for what anybody can cause by asking for names, a few at a time.
func (db *DB) miss(ctx context.Context, fn func(context.Context, directoryTx) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case db.misses <- struct{}{}:
		defer func() { <-db.misses }()
		return db.inDirectory(ctx, fn)
	case <-ctx.Done():
		return classify(ctx, ctx.Err())
	}
}

func (db *DB) pool(t Tenant) (*Pool, error) {
	if t.ID.IsZero() {
		return nil, errors.New("tenancy: SQL without a tenant")
	}
	pool := db.pools[t.Database]
	if pool == nil {
		return nil, problem.Unavailable(time.Second, fmt.Errorf("tenancy: tenant %s lives in database %q, which is not configured here", t.ID, t.Database))
	}
	return pool, db.putAside(t.Database)
}

// putAside is the error of whoever wants a database that was put aside.
func (db *DB) putAside(database string) error {
	if aside := db.aside[database]; aside != nil && aside.Load() {
		return problem.Unavailable(time.Second, fmt.Errorf("tenancy: database %q was away or not fit to serve when it was checked", database))
	}
	return nil
}

// inTx opens a transaction, its search_path and its role in one round trip. Both names are ours, never a client's.
func inTx(ctx context.Context, pool *Pool, schema, role string, fn func(context.Context, *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return classify(ctx, onConn(ctx, pool, schema, func(c *conn) error {
		if _, err := c.Exec(ctx, "begin; set local search_path to "+schema+"; set local role "+role); err != nil {
			return err
		}
		if err := fn(ctx, c); err != nil {
			rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _ = c.Exec(rollback, "rollback")
			return err
		}
		return commit(ctx, c)
	}))
}

// commit knows that Postgres answers the commit of a failed transaction with success, and rolls it back.
func commit(ctx context.Context, c querier) error {
	tag, err := c.Exec(ctx, "commit")
	if err == nil && tag.String() == "ROLLBACK" {
		err = errors.New("tenancy: a statement failed unnoticed and the transaction was rolled back")
	}
	return err
}

// onConn runs do on a connection, and again on another where the first had not heard of a role. do begins by taking the
// role on, so nothing was done.
//
// The race is Postgres's own (roles_is_member_of, seen in 15): a backend works out which roles it is a member of, which
// takes milliseconds with a thousand of them, and meanwhile a grant commits. It hears that its answer is out of date, and
// then keeps the answer all the same, until somebody changes a membership again. So the connection is closed: where two
// tenants are made at once, others would refuse one of them for as long as they live.
func onConn(ctx context.Context, pool *Pool, namespace string, do func(*conn) error) error {
	for attempt := 1; ; attempt++ {
		err := pool.with(ctx, namespace, func(c *conn) error {
			err := do(c)
			if roleRefused(err) {
				c.forsake(ctx)
			}
			return err
		})
		if !roleRefused(err) || attempt == 3 {
			return err
		}
	}
}

// classify tells a database that cannot answer now, which a client may try again, and a tenant that was deleted meanwhile from
// a fault of ours.
func classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var known *problem.Error
	var refused *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &known), errors.Is(err, pgx.ErrNoRows):
		return err
	case errors.As(err, &refused) && !errors.As(err, &connect):
		if transient(refused.Code) || roleRefused(err) {
			return problem.Unavailable(time.Second, err)
		}
		if orphan(refused) {
			return unknown(err)
		}
		return err
	case errors.As(err, &connect), errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), pgconn.SafeToRetry(err), broken(err):
		if errors.Is(context.Cause(ctx), context.Canceled) {
			return err // the client is gone; nobody reads the answer
		}
		return problem.Unavailable(time.Second, err)
	default:
		return err
	}
}
