package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// gone turns what a request meets whose tenant is deleted or moved underneath it into what the next one is told: 404 not_found, or
// 503 unavailable for the moment until this replica has heard where the tenant lives now. Postgres has several words for it (no
// such role, no such table, a table that is there no more), and all but the first may be a fault of ours; so it is asked
// whether the tenant's schema is there and open.
func (db *DB) gone(ctx context.Context, pool *Pool, t Tenant, err error) error {
	behind := lacks(t, err)
	if !behind && !maybeGone(err) {
		return err
	}
	var there, open bool
	asked := pool.row(ctx, `select to_regnamespace($1::text) is not null,
		coalesce(case when to_regnamespace($1::text) is not null and to_regrole($1::text) is not null then has_schema_privilege($1::text, $1::text, 'usage') end, false)`,
		[]any{namespace(t.ID)}, &there, &open)
	if behind && open {
		return problem.Unavailable(behindRetry, err)
	}
	if asked != nil || open {
		return err
	}
	database, asked := db.databaseOf(ctx, t.ID)
	switch {
	case asked != nil && !errors.Is(asked, ErrUnknown):
		return err
	case there || asked == nil && database != t.Database:
		return problem.Unavailable(time.Second, err)
	case asked == nil:
		return err
	}
	return unknown(err)
}

// unknown is ErrUnknown with what it was found by.
func unknown(err error) error { return fmt.Errorf("%w: %w", ErrUnknown, err) }

// orphan reports a row of the directory that refers to a tenant which is not there: deleted, after the request was let in.
func orphan(p *pgconn.PgError) bool {
	return p.Code == pgerrcode.ForeignKeyViolation && strings.HasSuffix(p.ConstraintName, "_tenant_id_fkey")
}

// databaseOf is where a tenant lives now.
func (db *DB) databaseOf(ctx context.Context, t id.Tenant) (database string, err error) {
	err = db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		read, err := tenantByID(ctx, tx, t)
		database = read.Database
		return err
	})
	return database, err
}

func maybeGone(err error) bool {
	var p *pgconn.PgError
	if !errors.As(err, &p) {
		return false
	}
	switch p.Code {
	case pgerrcode.UndefinedTable, pgerrcode.UndefinedObject, pgerrcode.InvalidSchemaName, pgerrcode.InternalError,
		pgerrcode.InvalidParameterValue: // the last is what a setting says, and so SET ROLE
		return true
	}
	return false
}
