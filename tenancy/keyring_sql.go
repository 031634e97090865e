package tenancy

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

type storedKey struct {
	KID       string
	Version   int
	Algorithm custody.Algorithm
	JWK       string
	Active    bool
}

func readSigningKeys(b *Batch, into *[]storedKey) {
	b.Queue(`select kid, version, algorithm, jwk, state = 'active' from signing_keys order by version`).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[storedKey])
			return err
		})
}

// addSigningKey files a key. Filing it again changes nothing, so an interrupted provisioning can be repeated.
func addSigningKey(ctx context.Context, tx Tx, k storedKey, now time.Time) error {
	state := "published"
	if k.Active {
		state = "active"
	}
	_, err := tx.Exec(ctx, `insert into signing_keys (kid, version, algorithm, jwk, state, created_at)
		values ($1, $2, $3, $4, $5, $6) on conflict (kid) do nothing`, k.KID, k.Version, k.Algorithm, k.JWK, state, now)
	return err
}
