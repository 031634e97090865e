package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// MigrateTenants brings the schema of every tenant that is behind to the newest version, one after the other, and says
// how many it brought. url is the provisioning role's. A tenant's record is updated after its schema, so an interrupted
// run takes up where it stopped, and a tenant done twice is done once.
func MigrateTenants(ctx context.Context, url string) (done int, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `select id from control.tenants where state <> 'provisioning' and schema_version < $1 order by id`, migrations.LatestTenant)
	if err != nil {
		return 0, err
	}
	behind, err := pgx.CollectRows(rows, pgx.RowTo[id.Tenant])
	if err != nil {
		return 0, err
	}
	for _, t := range behind {
		if err := migrations.Tenant(ctx, url, namespace(t)); err != nil {
			return done, fmt.Errorf("tenant %s: %w", t, err)
		}
		_, err := conn.Exec(ctx, `update control.tenants set schema_version = $2 where id = $1 and schema_version < $2`, t, migrations.LatestTenant)
		if err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}
