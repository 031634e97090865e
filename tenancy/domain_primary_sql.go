package tenancy

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// primaryDomain is the tenant's, or one with nothing but the tenant where there is none.
func primaryDomain(ctx context.Context, tx directoryTx, t id.Tenant) (Domain, error) {
	rows, err := tx.Query(ctx, `select `+domainColumns+` from domains where tenant_id = $1 and is_primary`, t)
	if err != nil {
		return Domain{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDomain)
	d.Tenant = t
	return d, OrNone(err)
}

// setPrimary takes two statements: an index sees each row as it is changed, and of two primary ones it lets none pass.
func setPrimary(ctx context.Context, tx directoryTx, d Domain) error {
	if _, err := tx.Exec(ctx, `update domains set is_primary = false where tenant_id = $1 and is_primary and id <> $2`, d.Tenant, d.ID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `update domains set is_primary = true where tenant_id = $1 and id = $2 and not is_primary`, d.Tenant, d.ID)
	return err
}

// succeed lets the oldest proved host be primary where none is, and reads which one is then.
func succeed(ctx context.Context, tx directoryTx, t id.Tenant) (Domain, error) {
	_, err := tx.Exec(ctx, `update domains set is_primary = true where id = (
			select id from domains where tenant_id = $1 and verified_at is not null and 'host' = any(uses) order by verified_at, id limit 1)
		and not exists (select from domains where tenant_id = $1 and is_primary)`, t)
	if err != nil {
		return Domain{}, err
	}
	return primaryDomain(ctx, tx, t)
}
