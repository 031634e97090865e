package transfer

import (
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// exportUsers is a page of users in the order they were made.
func exportUsers(b *tenancy.Batch, after id.User, limit int, into *[]exported) {
	b.Queue(`select id, email, name, email_verified, coalesce(password_hash, '') from users where id > $1 order by id limit $2`,
		[16]byte(after), limit).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e exported, err error) {
			err = row.Scan(&e.id, &e.line.Email, &e.line.Name, &e.line.EmailVerified, &e.hash)
			return e, err
		})
		return err
	})
}
