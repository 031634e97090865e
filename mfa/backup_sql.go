package mfa

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func remainingBackupCodes(ctx context.Context, tx tenancy.Tx, u id.User) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from backup_codes where user_id = $1`, u).Scan(&n)
	return n, err
}

// readBackupSet is the set that the codes of a challenge's user are of; the zero UUID where there are none.
func readBackupSet(b *tenancy.Batch, hash []byte, into *uuid.UUID) {
	b.Queue(`select set_id from backup_codes where user_id = (select user_id from challenges where id_hash = $1) limit 1`, hash).
		QueryRow(func(row pgx.Row) error { return tenancy.OrNone(row.Scan((*[16]byte)(into))) })
}

func replaceBackupCodes(ctx context.Context, tx tenancy.Tx, u id.User, s backupSet) error {
	if err := clearBackupCodes(ctx, tx, u); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into backup_codes (user_id, set_id, hash) select $1, $2, unnest($3::bytea[])`, u, [16]byte(s.id), s.hashes)
	return err
}

func clearBackupCodes(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `delete from backup_codes where user_id = $1`, u)
	return err
}

// deleteBackupCode reports whether the code was there: a used code is gone.
func deleteBackupCode(ctx context.Context, tx tenancy.Tx, u id.User, hash []byte) (bool, error) {
	tag, err := tx.Exec(ctx, `delete from backup_codes where user_id = $1 and hash = $2`, u, hash)
	return tag.RowsAffected() == 1, err
}
