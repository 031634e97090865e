package transfer

import (
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// readImported reads an imported hash that is left, whoever it is of, or nothing. The index users_imported holds those
// alone; its condition has to be found here in the same words.
func readImported(b *tenancy.Batch, into *string) {
	b.Queue(`select password_hash from users where password_hash like '$sealed$%' order by id limit 1`).QueryRow(func(row pgx.Row) error {
		return tenancy.OrNone(row.Scan(into))
	})
}
