package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// greeting is what a user wants to be called, else the name of the account, and the language they read; nothing where there
// is no such user.
func greeting(ctx context.Context, tx tenancy.Tx, u id.User) (name, locale string, err error) {
	err = tx.QueryRow(ctx, `select coalesce(nullif(display_name, ''), name), coalesce(locale, '') from users where id = $1`, u).Scan(&name, &locale)
	return name, locale, tenancy.OrNone(err)
}
