package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

var (
	errBusy  = errors.New("another run has been migrating it for too long")
	errDirty = errors.New("its schema_migrations is dirty: a file was half applied by another program; put the schema right and set dirty to false")
)

// try makes one attempt at a tenant.
func (r *run) try(ctx context.Context, m member) outcome {
	m.tries++
	o := outcome{member: m, version: m.version}
	pool := r.databases[m.database]
	if pool == nil {
		o.kind, o.err = failed, fmt.Errorf("database %q is not configured", m.database)
		return o
	}
	// The server keeps its own bounds; this one is for a server that no longer answers.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second+time.Duration(1+len(r.Set.After(m.version)))*r.StatementTimeout)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err == nil {
		o.version, o.kind, err = r.apply(ctx, conn.Conn(), tenancy.Schema(m.id), m.version)
		conn.Release() // one that is still in a transaction is closed
	}
	switch {
	case err == nil:
		return o
	case errors.Is(err, errBusy):
		o.kind = busy
	case errors.Is(err, errDirty):
		o.kind = dirty
	case passing(err):
		o.kind = locked
	default:
		o.kind = failed
		if lives, asked := r.lives(ctx, m); asked == nil && !lives {
			o.kind = gone
		}
	}
	o.err = err
	return o
}

// apply brings a schema from wherever it stands to the version that is wanted, in one transaction. version is where it stands
// afterwards, with an error as before; remembered is the answer as long as it has not been asked.
func (r *run) apply(ctx context.Context, conn *pgx.Conn, schema string, remembered int) (version int, k kind, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return remembered, failed, err
	}
	defer func() {
		rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(rollback) // after a commit it does nothing
	}()
	version, isDirty, err := r.enter(ctx, tx, schema)
	switch {
	case err != nil:
		return remembered, failed, err
	case isDirty:
		return version, dirty, errDirty
	}
	missing := r.Set.After(version)
	if len(missing) == 0 {
		return version, found, nil
	}
	for _, m := range missing {
		if _, err := tx.Exec(ctx, m.SQL); err != nil { // no arguments: a file may hold several statements
			return version, failed, fmt.Errorf("%04d_%s: %w", m.Version, m.Name, err)
		}
	}
	// As golang-migrate writes it. The name is qualified for the case that a file has changed the search_path.
	table := schema + ".schema_migrations"
	_, err = tx.Exec(ctx, fmt.Sprintf("delete from %[1]s; insert into %[1]s (version, dirty) values (%[2]d, false)", table, r.Set.Latest()))
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		return version, failed, err
	}
	return r.Set.Latest(), migrated, nil
}

// enter takes the tenant's lock, the one under which its schema was made, and reads where the schema stands. The lock closes
// the race of two runs: the second would apply the same files.
//
// The search_path is the tenant's schema alone, as when it was made, so that its default privileges are what gives the
// tenant's role its rights on a new table. A run that hangs or is cut off in the middle gives the tables free again.
func (r *run) enter(ctx context.Context, tx pgx.Tx, schema string) (version int, isDirty bool, err error) {
	_, err = tx.Exec(ctx, fmt.Sprintf(`set local search_path to %s; set local lock_timeout to %d; set local statement_timeout to %d;
		set local idle_in_transaction_session_timeout to '15s'`, schema, r.LockTimeout.Milliseconds(), r.StatementTimeout.Milliseconds()))
	if err != nil {
		return 0, false, err
	}
	var mine bool
	if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended($1, 0))`, schema).Scan(&mine); err != nil {
		return 0, false, err
	}
	if !mine {
		return 0, false, errBusy
	}
	err = tx.QueryRow(ctx, `select version, dirty from schema_migrations`).Scan(&version, &isDirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil // golang-migrate's way to say that nothing was applied
	}
	return version, isDirty, err
}

// passing reports what may go better later: a table in use, a statement that took too long, a deadlock, a server that is
// away, full or restarting. What is not said by a server is a connection that was lost.
func passing(err error) bool {
	var p *pgconn.PgError
	if !errors.As(err, &p) {
		return !errors.Is(err, context.Canceled)
	}
	switch p.Code {
	case pgerrcode.LockNotAvailable, pgerrcode.QueryCanceled, pgerrcode.DeadlockDetected, pgerrcode.SerializationFailure,
		pgerrcode.ReadOnlySQLTransaction, pgerrcode.IdleInTransactionSessionTimeout:
		return true
	}
	return pgerrcode.IsConnectionException(p.Code) || pgerrcode.IsInsufficientResources(p.Code) || pgerrcode.IsOperatorIntervention(p.Code)
}
