package fleet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// run is one call of Migrate.
type run struct {
	Options
	directory *pgxpool.Pool
	databases map[string]*pgxpool.Pool
	recorder  *recorder

	seen     map[id.Tenant]bool // by an earlier pass
	report   Report
	progress Progress
}

func open(ctx context.Context, o Options) (_ *run, err error) {
	o.Workers = cmp.Or(o.Workers, 4)
	o.LockTimeout = cmp.Or(o.LockTimeout, 500*time.Millisecond)
	o.StatementTimeout = cmp.Or(o.StatementTimeout, 30*time.Second)
	r := &run{Options: o, databases: map[string]*pgxpool.Pool{}, seen: map[id.Tenant]bool{}, report: Report{Version: o.Set.Latest()}}
	defer func() {
		if err != nil {
			r.closePools()
		}
	}()
	if r.directory, err = newPool(ctx, o.Directory, 2, pgx.QueryExecModeCacheStatement); err != nil {
		return nil, err
	}
	for name, url := range o.Databases { // where the same text means another table in each schema, so no statement is kept
		if r.databases[name], err = newPool(ctx, url, o.Workers, pgx.QueryExecModeExec); err != nil {
			return nil, fmt.Errorf("database %s: %w", name, err)
		}
	}
	r.recorder = newRecorder(ctx, r.record)
	return r, nil
}

// retireAfter is how many tenants a connection migrates. A backend remembers the catalog of every schema that it has changed,
// some 70 kB each, and gives it back only by ending.
const retireAfter = 250

func newPool(ctx context.Context, url string, size int, mode pgx.QueryExecMode) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.MaxConns = int32(size)             //nolint:gosec // a handful
	c.MaxConnIdleTime = 10 * time.Second // a run over many databases keeps few connections to each
	c.HealthCheckPeriod = 5 * time.Second
	c.ConnConfig.ConnectTimeout = 5 * time.Second
	c.ConnConfig.DefaultQueryExecMode = mode
	c.AfterRelease = func(conn *pgx.Conn) bool {
		const used = "tenants"
		n, _ := conn.PgConn().CustomData()[used].(int)
		conn.PgConn().CustomData()[used] = n + 1
		return n+1 < retireAfter
	}
	return pgxpool.NewWithConfig(ctx, c)
}

func (r *run) close() error {
	err := r.recorder.close()
	r.closePools()
	return err
}

func (r *run) closePools() {
	if r.directory != nil {
		r.directory.Close()
	}
	for _, pool := range r.databases {
		if pool != nil {
			pool.Close()
		}
	}
}
