package tenancy

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// lateCommit is longer than any transaction on the directory takes: a change carries the time at which its transaction began,
// and is seen when it has ended.
const lateCommit = 10 * time.Second

// changedSince are the tenants whose keys were changed since, and those for whom a change was asked that is not done; at is the
// database's time.
func (k *Keyring) changedSince(ctx context.Context, since time.Time) (changed []id.Tenant, at time.Time, err error) {
	err = k.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		if err := tx.QueryRow(ctx, `select now()`).Scan(&at); err != nil || since.IsZero() {
			return err
		}
		rows, err := tx.Query(ctx, `select tenant_id from key_steps where changed_at > $1 union select tenant_id from key_requests`, since.Add(-lateCommit))
		if err != nil {
			return err
		}
		changed, err = pgx.CollectRows(rows, pgx.RowTo[id.Tenant])
		return err
	})
	return changed, at, err
}
