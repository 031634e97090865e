package tenancy

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// ErrPooled means that a connection that needs a session of its own goes through a pooler, such as PgBouncer. One that
// shares by transaction would lose announcements without a word, and hand a role that was set for one client to the next.
// A pooler that shares by session cannot be told from it, and is of no use to a connection that stays.
var ErrPooled = errors.New("tenancy: a connection that needs a session of its own goes through a connection pooler")

// pooled reports whether a pooler stands between a connection and its server. A pooler hands out numbers of its own to
// cancel by, because a client has no server process that is its.
func pooled(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid uint32
	err := conn.QueryRow(ctx, "select pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid) // leaves no prepared statement
	return pid != conn.PgConn().PID(), err
}

// direct refuses a connection that goes through a pooler. Errors: ErrPooled.
func direct(ctx context.Context, conn *pgx.Conn) error {
	through, err := pooled(ctx, conn)
	if err == nil && through {
		err = ErrPooled
	}
	return err
}

// Direct asks whether a URL leads to the server itself. Errors: ErrPooled; whatever keeps it from being asked.
func Direct(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := poolConfig(url, 1)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return direct(ctx, conn)
}

// Around has what must not go through a pooler, such as listening, go by another URL than the pool's own. It is called before the
// pool is used.
func (p *Pool) Around(url string) error {
	c, err := poolConfig(url, 1)
	if err == nil {
		p.direct = c.ConnConfig
	}
	return err
}

// dial opens a connection. Where it has a server process to itself it keeps prepared statements there. Behind a pooler the
// process that executes may be another than the one that prepared: what a statement takes and returns is remembered
// then, and its text is sent each time. A URL that says default_query_exec_mode is obeyed.
func (p *Pool) dial(ctx context.Context) (*pgx.Conn, error) {
	if !p.through.Load() {
		c, err := pgx.ConnectConfig(ctx, p.config.Copy())
		if err != nil {
			return nil, err
		}
		through, err := pooled(ctx, c)
		if err == nil && (!through || p.told) {
			return c, nil
		}
		_ = c.Close(ctx)
		if err != nil {
			return nil, err
		}
		p.through.Store(true)
	}
	config := p.config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgx.ConnectConfig(ctx, config)
}

// forsake closes a connection and the server process that it talked to last. A pooler would lend that process to the next
// client, but not in the middle of a transaction that somebody left.
func (c *conn) forsake(ctx context.Context) {
	if c.PgConn().TxStatus() == 'I' {
		_, _ = c.Exec(ctx, "begin")
	}
	_ = c.Close(ctx)
}
