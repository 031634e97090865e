package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// maxBudgets bounds the table of budgets under a spray of addresses: the oldest are forgotten first.
const maxBudgets = 20_000

// spendBudget notes a mail unless the minute, the hour or the day has had its share. The race: fifty requests for one
// address; the row lets one after the other look at what the one before left, and one mail goes out.
func spendBudget(ctx context.Context, tx tenancy.Tx, address []byte, now time.Time) (within bool, err error) {
	tag, err := tx.Exec(ctx, `insert into mail_budgets as b (address_hash, asked) values ($1, array[$2::timestamptz])
		on conflict (address_hash) do update set asked = (array[$2::timestamptz] || b.asked)[1:20]
		where b.asked[1] <= $2 - interval '1 minute'
			and coalesce(b.asked[5] <= $2 - interval '1 hour', true) and coalesce(b.asked[20] <= $2 - interval '1 day', true)`, address, now)
	return err == nil && tag.RowsAffected() == 1, err
}

// sweepBudgets forgets what no longer counts, and the oldest beyond the bound.
func sweepBudgets(ctx context.Context, tx tenancy.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `delete from mail_budgets where address_hash in (
		select address_hash from mail_budgets where asked[1] <= $1 limit 100 for update skip locked)`, now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `delete from mail_budgets where address_hash in (
		select address_hash from mail_budgets order by asked[1] desc offset $1 limit 100 for update skip locked)`, maxBudgets)
	return err
}

func markVerified(ctx context.Context, tx tenancy.Tx, u id.User, now time.Time) error {
	_, err := tx.Exec(ctx, `update users set email_verified = true, credential_version = credential_version + 1, updated_at = $2 where id = $1`, u, now)
	return err
}

// signOut ends whatever somebody has of an account beside its password and factors: its sessions but one, which may be none,
// what was begun and what was mailed. The caller has raised the credential version, so nothing that is under way comes after.
func signOut(ctx context.Context, tx tenancy.Tx, u id.User, but id.Session) error {
	_, err := endSessionsBut(ctx, tx, u, but)
	if err == nil {
		err = dropChallenges(ctx, tx, u)
	}
	if err == nil {
		err = killLinks(ctx, tx, u)
	}
	return err
}
