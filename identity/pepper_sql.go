package identity

import (
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

func countOutdated(b *tenancy.Batch, newest string, into *int) {
	b.Queue(`select count(*) from users where password_hash like '$argon2id$%' and position($1 in password_hash) = 0`, newest).
		QueryRow(func(row pgx.Row) error { return row.Scan(into) })
}
