package tenancy

import (
	"context"
	"errors"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// gone turns what a request meets whose tenant is deleted underneath it into what the next one is told: 404 not_found. Postgres
// has several words for it (no such role, no such table, a table that is there no more), and all but the first may be a fault
// of ours; so it is asked whether the tenant's schema is there.
func gone(ctx context.Context, pool *Pool, t Tenant, err error) error {
	if !maybeGone(err) {
		return err
	}
	var gone bool
	if pool.row(ctx, `select to_regnamespace($1) is null`, []any{namespace(t.ID)}, &gone) != nil || !gone {
		return err
	}
	return problem.NotFound().With(err)
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
