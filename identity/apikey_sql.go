package identity

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const apiKeyColumns = `id, name, prefix, scopes, created_by, created_at, expires_at, last_used_at` //nolint:gosec // names of columns

func scanAPIKey(row pgx.CollectableRow) (k APIKey, err error) {
	err = row.Scan(&k.ID, &k.Name, &k.Prefix, &k.Scopes, &k.CreatedBy, &k.CreatedAt, &k.ExpiresAt, &k.LastUsedAt)
	k.CreatedAt = k.CreatedAt.UTC()
	for _, t := range []*time.Time{k.ExpiresAt, k.LastUsedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	return k, err
}

// insertAPIKey files a key. Filing it again changes nothing, so an interrupted provisioning can be repeated.
func insertAPIKey(ctx context.Context, tx tenancy.Tx, k APIKey) error {
	_, err := tx.Exec(ctx, `insert into api_keys (id, name, prefix, key_hash, scopes, created_by, created_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing`,
		k.ID, k.Name, k.Prefix, k.hash, k.Scopes, k.CreatedBy, k.CreatedAt, k.ExpiresAt)
	return err
}

// useAPIKey finds a key that has not expired and notes that it was used, once a minute at most: a busy key must not turn
// every read into a write.
func useAPIKey(b *tenancy.Batch, hash []byte, now time.Time, into **APIKey) {
	b.Queue(`update api_keys set last_used_at = $2
		where key_hash = $1 and (expires_at is null or expires_at > $2) and (last_used_at is null or last_used_at < $3)`,
		hash, now, now.Add(-time.Minute))
	b.Queue(`select `+apiKeyColumns+` from api_keys where key_hash = $1 and (expires_at is null or expires_at > $2)`, hash, now).
		Query(func(rows pgx.Rows) error {
			k, err := pgx.CollectExactlyOneRow(rows, scanAPIKey)
			if err == nil {
				*into = &k
			}
			return tenancy.OrNone(err)
		})
}

func listAPIKeys(b *tenancy.Batch, after id.APIKey, limit int, into *[]APIKey) {
	b.Queue(`select `+apiKeyColumns+` from api_keys where id > $1 order by id limit $2`, [16]byte(after), limit).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, scanAPIKey)
			return err
		})
}

func deleteAPIKey(ctx context.Context, tx tenancy.Tx, k id.APIKey) (scopes []Scope, err error) {
	err = tx.QueryRow(ctx, `delete from api_keys where id = $1 returning scopes`, k).Scan(&scopes)
	if errors.Is(err, pgx.ErrNoRows) {
		err = problem.NotFound()
	}
	return scopes, err
}
