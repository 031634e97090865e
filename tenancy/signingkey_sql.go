package tenancy

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const signingKeyColumns = `kid, version, algorithm, jwk, state, created_at, coalesce(since, created_at), due_at`

func scanSigningKey(row pgx.CollectableRow) (r SigningKeyRecord, err error) {
	err = row.Scan(&r.KID, &r.Version, &r.Algorithm, &r.JWK, &r.State, &r.CreatedAt, &r.Since, &r.DueAt)
	r.CreatedAt, r.Since = r.CreatedAt.UTC(), r.Since.UTC()
	if r.DueAt != nil {
		*r.DueAt = r.DueAt.UTC()
	}
	return r, err
}

func readSigningKeys(b *Batch, into *signingKeys) {
	b.Queue(`select ` + signingKeyColumns + ` from signing_keys order by version`).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, scanSigningKey)
		return err
	})
}

// lockSigningKeys reads a tenant's keys for whoever is about to change one. The race: two replicas take the same step, or one
// activates the key that another revokes. The second waits here and then sees what the first has done.
func lockSigningKeys(ctx context.Context, tx Tx) (signingKeys, error) {
	if _, err := tx.Exec(ctx, `select from signing_keys order by version for update`); err != nil {
		return nil, err
	}
	// Read anew: the statement that waited has not seen a key that was added meanwhile.
	rows, err := tx.Query(ctx, `select `+signingKeyColumns+` from signing_keys order by version`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSigningKey)
}

// addSigningKey files a key and reports whether it was not there. A key that is published or active while another one is
// already is not filed either: whoever lost that race finds a rotation under way.
func addSigningKey(ctx context.Context, tx Tx, r SigningKeyRecord) (bool, error) {
	tag, err := tx.Exec(ctx, `insert into signing_keys (kid, version, algorithm, jwk, state, created_at, since, due_at)
		values ($1, $2, $3, $4, $5, $6, $6, $7) on conflict do nothing`, r.KID, r.Version, r.Algorithm, r.JWK, r.State, r.CreatedAt, r.DueAt)
	return tag.RowsAffected() == 1, err
}

// moveSigningKey takes a key that the transaction has locked to another state.
func moveSigningKey(ctx context.Context, tx Tx, kid string, to KeyState, now time.Time, due *time.Time) error {
	_, err := tx.Exec(ctx, `update signing_keys set state = $2, since = $3, due_at = $4 where kid = $1`, kid, to, now, due)
	return err
}
