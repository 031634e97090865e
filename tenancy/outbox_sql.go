package tenancy

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

func insertOutgoing(ctx context.Context, tx querier, x outgoing, at time.Time) error {
	_, err := tx.Exec(ctx, `insert into audit_outbox (id, tenant_id, about, entry, created_at) values ($1, $2, $3, $4, $5)`,
		[16]byte(x.id), x.tenant, x.about, x.entry, at)
	return err
}

// dueOutgoing reads what may go, so much of each tenant that one that cannot be reached does not keep the others waiting,
// and by turns of each database, for the same reason: not what is about a tenant that is still being made, for its making
// may be given up.
func dueOutgoing(ctx context.Context, tx directoryTx, where string, args ...any) ([]outgoing, error) {
	rows, err := tx.Query(ctx, `select id, tenant_id, entry, database from (
			select id, tenant_id, entry, database, created_at, row_number() over (partition by database order by created_at, id) as turn from (
				select o.id, o.tenant_id, o.entry, coalesce(t.database, '') as database, o.created_at,
					row_number() over (partition by o.tenant_id order by o.created_at, o.id) as turn
				from audit_outbox o left join tenants t on t.id = o.tenant_id where `+where+`
					and (o.about is null or exists (select from tenants a where a.id = o.about and a.state <> 'provisioning'))) due
			where turn <= 100) by_database
		order by turn, created_at, id limit 1000`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (x outgoing, err error) {
		var entry [16]byte
		err = row.Scan(&entry, &x.tenant, &x.entry, &x.database)
		x.id = entry
		return x, err
	})
}

func deleteOutgoing(ctx context.Context, tx directoryTx, entry uuid.UUID) error {
	_, err := tx.Exec(ctx, `delete from audit_outbox where id = $1`, [16]byte(entry))
	return err
}

// forgetOutgoing takes back what was to be told of a tenant whose making is given up.
func forgetOutgoing(ctx context.Context, tx querier, about id.Tenant) error {
	_, err := tx.Exec(ctx, `delete from audit_outbox where about = $1`, about)
	return err
}
