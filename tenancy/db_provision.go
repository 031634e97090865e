package tenancy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// ProvisioningDB is the provisioning role's way to one database. That role owns every schema, so nothing that serves
// requests of a tenant is given one.
type ProvisioningDB struct {
	pool        *pgxpool.Pool
	runtimeRole string
	long        chan struct{} // of the one that is in inLongTx
	absence     *atomic.Pointer[absence]
}

// absence is what answers found when the database last did not.
type absence struct {
	err error
	at  time.Time
}

// believed is how long an absence is believed: else everybody who makes a tenant anywhere would wait for a server that hangs.
const believed = 3 * time.Second

// NewProvisioningDB makes a ProvisioningDB of an open pool, which the caller closes. runtimeRole is the serving role
// there: it is made a member of every tenant's role.
func NewProvisioningDB(pool *pgxpool.Pool, runtimeRole string) ProvisioningDB {
	return ProvisioningDB{pool, runtimeRole, make(chan struct{}, 1), new(atomic.Pointer[absence])}
}

// provisionTx is a transaction of the provisioning role.
type provisionTx struct{ *pgx.Conn }

// inTx runs fn in one transaction, which begins in the control schema.
func (db ProvisioningDB) inTx(ctx context.Context, fn func(context.Context, provisionTx) error) error {
	conn, err := db.begin(ctx)
	if err != nil {
		return classify(ctx, err)
	}
	defer conn.Release() // a connection still in a transaction is closed, not reused
	if err := fn(ctx, provisionTx{conn.Conn()}); err != nil {
		rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.Exec(rollback, "rollback")
		return classify(ctx, err)
	}
	return classify(ctx, commit(ctx, conn))
}

// longTurn is how long one waits for another's long transaction to end.
const longTurn = 10 * time.Second

// inLongTx is inTx for what may take minutes, as counting all rows of a tenant does. In each database one is at work at a time,
// so that whoever makes a tenant finds a connection, however many are being counted.
func (db ProvisioningDB) inLongTx(ctx context.Context, fn func(context.Context, provisionTx) error) error {
	turn, cancel := context.WithTimeout(ctx, longTurn)
	defer cancel()
	select {
	case db.long <- struct{}{}:
		defer func() { <-db.long }()
		return db.inTx(ctx, fn)
	case <-turn.Done():
		return classify(ctx, turn.Err())
	}
}

// atLeisure is inLongTx for what can as well be done another time: where somebody else is at work fn is not called.
func (db ProvisioningDB) atLeisure(ctx context.Context, fn func(context.Context, provisionTx) error) error {
	select {
	case db.long <- struct{}{}:
		defer func() { <-db.long }()
		return db.inTx(ctx, fn)
	default:
		return nil
	}
}

// answers reports whether the database is there. One whose connections are all at work is: who asked it would only stand in
// line, and take a line for an outage.
func (db ProvisioningDB) answers(ctx context.Context) error {
	if s := db.pool.Stat(); s.AcquiredConns() == s.MaxConns() {
		return nil
	}
	if was := db.absence.Load(); was != nil && time.Since(was.at) < believed {
		return was.err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := classify(ctx, db.pool.Ping(ctx))
	if away(err) { // and not: whoever asked is gone
		db.absence.Store(&absence{err, time.Now()})
	}
	return err
}

// begin is what shows whether the server is there at all, so it is bounded like a request; what follows may take longer,
// for making a schema is a lot of work.
func (db ProvisioningDB) begin(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "begin; set local search_path to "+migrations.ControlSchema); err != nil {
		conn.Release()
		return nil, err
	}
	return conn, nil
}
