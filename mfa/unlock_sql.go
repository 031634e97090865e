package mfa

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// forgetFailures forgets the account's wrong second factors; those of a challenge stay with it.
func forgetFailures(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `delete from factor_failures where user_id = $1`, u)
	return err
}
