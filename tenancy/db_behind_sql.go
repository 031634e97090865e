package tenancy

import (
	"context"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// Behind is how many tenants lack a migration that this binary was made for, and the slug of the first of them.
func (d *Directory) Behind(ctx context.Context) (n int, first Slug, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		return tx.QueryRow(ctx, `select count(*), coalesce((array_agg(slug order by slug))[1], '') from tenants
			where state <> 'provisioning' and schema_version < $1`, migrations.LatestTenant).Scan(&n, &first)
	})
	return n, first, err
}
