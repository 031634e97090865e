package mfa

import (
	"context"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

func forgetBackupCodes(ctx context.Context, tx tenancy.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, `delete from backup_codes`)
	return tag.RowsAffected(), err
}
