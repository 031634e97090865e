package mfa

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// insertTOTP takes the place of an enrolment that was begun and not confirmed.
func insertTOTP(ctx context.Context, tx tenancy.Tx, u id.User, f totpFactor, now time.Time) error {
	if _, err := tx.Exec(ctx, `delete from factors where user_id = $1 and method_type = 'totp' and confirmed_at is null`, u); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into factors (id, user_id, method_type, device_name, created_at, secret)
		values ($1, $2, 'totp', $3, $4, $5)`, f.id, u, totpDevice, now, f.sealed)
	return err
}

const totpColumns = `id, secret, coalesce(last_step, 0)`

func scanTOTP(into **totpFactor) func(pgx.Row) error {
	return func(row pgx.Row) error {
		var f totpFactor
		err := row.Scan(&f.id, &f.sealed, &f.lastStep)
		if err == nil {
			*into = &f
		}
		return tenancy.OrNone(err)
	}
}

// readTOTP is the confirmed authenticator of a challenge's user.
func readTOTP(b *tenancy.Batch, hash []byte, into **totpFactor) {
	b.Queue(`select `+totpColumns+` from factors where user_id = (select user_id from challenges where id_hash = $1)
		and method_type = 'totp' and confirmed_at is not null`, hash).QueryRow(scanTOTP(into))
}

func readPendingTOTP(b *tenancy.Batch, u id.User, since time.Time, into **totpFactor) {
	b.Queue(`select `+totpColumns+` from factors where user_id = $1 and method_type = 'totp' and confirmed_at is null and created_at > $2
		order by created_at desc limit 1`, u, since).QueryRow(scanTOTP(into))
}

func confirmTOTP(ctx context.Context, tx tenancy.Tx, f id.Factor, step int64, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `update factors set confirmed_at = $2, last_step = $3 where id = $1 and confirmed_at is null`, f, now, step)
	return tag.RowsAffected() == 1, err
}

// spendStep accepts a time step once: steps only go forward, on whichever surface they are used (RFC 6238 section 5.2).
func spendStep(f id.Factor, step int64, now time.Time) statement {
	return statement{`update factors set last_step = $3, last_used_at = $4 where id = $2 and coalesce(last_step, 0) < $3`, []any{f, step, now}}
}
