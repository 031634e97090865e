package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// MigrateTenants brings the schema of every tenant that is behind to the newest version, one after the other, and says
// how many it brought. directory is the URL of the provisioning role in the directory's database, databases those of all
// databases by the name that tenants' records carry. A tenant's record is updated after its schema, so an interrupted run
// takes up where it stopped, and a tenant done twice is done once. A tenant that fails does not stop the others.
func MigrateTenants(ctx context.Context, directory string, databases map[string]string) (done int, err error) {
	conn, err := pgx.Connect(ctx, directory)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	type tenant struct {
		ID       id.Tenant
		Database string
	}
	rows, err := conn.Query(ctx, `select id, database from control.tenants where state <> 'provisioning' and schema_version < $1 order by id`, migrations.LatestTenant)
	if err != nil {
		return 0, err
	}
	behind, err := pgx.CollectRows(rows, pgx.RowToStructByPos[tenant])
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, t := range behind {
		url, known := databases[t.Database]
		if !known {
			failed = append(failed, fmt.Errorf("tenant %s lives in database %q, which is not configured", t.ID, t.Database))
			continue
		}
		if err := migrations.Tenant(ctx, url, namespace(t.ID)); err != nil {
			failed = append(failed, fmt.Errorf("tenant %s: %w", t.ID, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		_, err := conn.Exec(ctx, `update control.tenants set schema_version = $2 where id = $1 and schema_version < $2`, t.ID, migrations.LatestTenant)
		if err != nil {
			return done, err
		}
		done++
	}
	return done, errors.Join(failed...)
}
