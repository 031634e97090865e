package tenancy

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// querier is what a Tx and a directoryTx have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readAnswer is the sealed answer kept under a slot, or "".
func readAnswer(ctx context.Context, tx querier, s slot) (sealed string, err error) {
	err = tx.QueryRow(ctx, `select answer from idempotency_keys where scope = $1 and key_hash = $2 and created_at > $3`,
		s.scope, s.keyHash, s.now.Add(-keep)).Scan(&sealed)
	return sealed, OrNone(err)
}

// claimAnswer files the answer if the slot is free or expired, else returns the one filed earlier. It also sweeps a few
// expired answers, so the table is bounded by what a day brings.
func claimAnswer(ctx context.Context, tx querier, s slot, sealed string) (earlier string, err error) {
	expired := s.now.Add(-keep)
	_, err = tx.Exec(ctx, `delete from idempotency_keys where (scope, key_hash) in (
		select scope, key_hash from idempotency_keys where created_at <= $1 limit 20 for update skip locked)`, expired)
	if err != nil {
		return "", err
	}
	tag, err := tx.Exec(ctx, `insert into idempotency_keys as k (scope, key_hash, answer, created_at) values ($1, $2, $3, $4)
		on conflict (scope, key_hash) do update set answer = excluded.answer, created_at = excluded.created_at
		where k.created_at <= $5`, s.scope, s.keyHash, sealed, s.now, expired)
	if err != nil || tag.RowsAffected() == 1 {
		return "", err
	}
	return readAnswer(ctx, tx, s)
}
