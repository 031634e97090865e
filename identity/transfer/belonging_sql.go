package transfer

import (
	"context"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// forgetPasswords takes every hash that has a pepper in it.
func forgetPasswords(ctx context.Context, tx tenancy.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, `update users set password_hash = null, credential_version = credential_version + 1 where password_hash like '$argon2id$%'`)
	return tag.RowsAffected(), err
}

// endRefreshing leaves sessions whose refresh tokens are taken no more, like those that were begun before tokens had a seed.
func endRefreshing(ctx context.Context, tx tenancy.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, `update sessions set refresh_seed = null where refresh_seed is not null`)
	return tag.RowsAffected(), err
}
