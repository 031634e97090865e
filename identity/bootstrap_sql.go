package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// lockAccount is LockUser for what is no business of others than identity. Errors: 404 not_found.
func lockAccount(ctx context.Context, tx tenancy.Tx, u id.User) (a account, err error) {
	err = a.scan(tx.QueryRow(ctx, selectAccount+`id = $1 for no key update`, u))
	if err == nil && a.User.ID != u {
		err = problem.NotFound()
	}
	return a, err
}
