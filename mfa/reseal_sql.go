package mfa

import (
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func countSecrets(b *tenancy.Batch, into *int64) {
	b.Queue(`select count(*) from factors where method_type = 'totp'`).QueryRow(func(row pgx.Row) error { return row.Scan(into) })
}

func readSecrets(b *tenancy.Batch, after id.Factor, limit int, into *[]sealedSecret) {
	b.Queue(`select id, user_id, secret from factors where method_type = 'totp' and id > $1 order by id limit $2`, [16]byte(after), limit).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sealedSecret, err error) {
				return s, row.Scan(&s.factor, &s.user, &s.sealed)
			})
			return err
		})
}

// replaceSecret gives way to whoever sealed it anew meanwhile.
func replaceSecret(b *tenancy.Batch, s sealedSecret, fresh string) {
	b.Queue(`update factors set secret = $3 where id = $1 and secret = $2`, s.factor, s.sealed, fresh)
}
