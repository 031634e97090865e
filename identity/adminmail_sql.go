package identity

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// maxToldAdmins bounds what one event has written.
const maxToldAdmins = 50

// administrators are those who can do something and have proved their address, the owner first.
func administrators(ctx context.Context, tx tenancy.Tx) ([]User, error) {
	rows, err := tx.Query(ctx, `select id, email from users where active and email_verified and $1 = any(roles)
		order by is_owner desc, created_at, id limit $2`, RoleAdmin, maxToldAdmins)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (u User, err error) {
		err = row.Scan(&u.ID, &u.Email)
		return u, err
	})
}
