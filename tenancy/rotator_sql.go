package tenancy

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func newKeyRequestID() [16]byte { return uuid.New() }

func insertKeyRequest(ctx context.Context, tx directoryTx, q keyRequest) error {
	_, err := tx.Exec(ctx, `insert into key_requests (id, tenant_id, kind, algorithm, kid, after_version, asked_by, asked_at)
		values ($1, $2, $3, nullif($4, ''), nullif($5, ''), $6, $7, $8)`, q.id, q.tenant, q.kind, q.algorithm, q.kid, q.version, q.by, q.at)
	return err
}

func deleteKeyRequest(ctx context.Context, tx directoryTx, q keyRequest) error {
	_, err := tx.Exec(ctx, `delete from key_requests where id = $1`, q.id)
	return err
}

// leftKeyRequests are those whose asker has had time to do them, of each database by turns: they are not put off, so what waits
// for one that is away would keep the others waiting.
func leftKeyRequests(ctx context.Context, tx directoryTx, before time.Time, limit int) ([]keyRequest, error) {
	rows, err := tx.Query(ctx, `select id, tenant_id, kind, coalesce(algorithm, ''), coalesce(kid, ''), after_version, asked_by, asked_at
		from (select q.*, row_number() over (partition by t.database order by asked_at) as turn
			from key_requests q left join tenants t on t.id = q.tenant_id where asked_at <= $1) q
		order by turn, asked_at limit $2`, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (q keyRequest, err error) {
		return q, row.Scan(&q.id, &q.tenant, &q.kind, &q.algorithm, &q.kid, &q.version, &q.by, &q.at)
	})
}

// dueTenants are those whose keys want attention, and those that nobody has looked at.
func dueTenants(ctx context.Context, tx directoryTx, now time.Time, limit int) ([]id.Tenant, error) {
	rows, err := tx.Query(ctx, `(select tenant_id from key_steps where due_at <= $1 order by due_at limit $2)
		union all (select id from tenants t where state <> 'provisioning' and not exists (select from key_steps s where s.tenant_id = t.id) limit $2)`, now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[id.Tenant])
}

// noted is when the tenant's keys are to be looked at; zero where nobody has looked yet.
func (r *Rotator) noted(ctx context.Context, t id.Tenant) (at time.Time, err error) {
	err = r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		return OrNone(tx.QueryRow(ctx, `select due_at from key_steps where tenant_id = $1`, t).Scan(&at))
	})
	return at, err
}

// note says when the tenant's keys are to be looked at next, if it is still what it was before they were read. The race: one
// replica reads the keys, another publishes a key and notes when it is due, and then the first would note, of what it has read,
// that there is nothing to do for months. It is told false, and reads again.
func (r *Rotator) note(ctx context.Context, t id.Tenant, was, at time.Time) (noted bool, err error) {
	err = r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		statement, args := `update key_steps set due_at = $2 where tenant_id = $1 and due_at = $3`, []any{t, at, was}
		if was.IsZero() {
			statement, args = `insert into key_steps (tenant_id, due_at) values ($1, $2) on conflict do nothing`, args[:2]
		}
		tag, err := tx.Exec(ctx, statement, args...)
		if noted = tag.RowsAffected() == 1; err != nil || !noted {
			return err
		}
		// Whoever listens does so at the directory's database, and the keys may be in another.
		_, err = tx.Exec(ctx, `select pg_notify('gatehouse_directory', $1)`, t.String())
		return err
	})
	return noted, err
}

func updateAlgorithm(ctx context.Context, tx provisionTx, t id.Tenant, alg custody.Algorithm, now time.Time) error {
	_, err := tx.Exec(ctx, `update tenants set signing_algorithm = $2, updated_at = $3 where id = $1 and signing_algorithm <> $2`, t, alg, now)
	return err
}
