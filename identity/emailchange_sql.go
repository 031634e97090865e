package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// changeEmail gives an account another address, which is proved. The race: somebody gets this address between the question
// and the change; the unique index decides it, at the price of a line in Postgres's log that names the address.
func changeEmail(ctx context.Context, tx tenancy.Tx, u id.User, to Email, now time.Time) error {
	tag, err := tx.Exec(ctx, `update users set email = $2, email_verified = true, credential_version = credential_version + 1, updated_at = $3
		where id = $1 and not exists (select from users where email = $2)`, u, to, now)
	if tenancy.Violates(err, "users_email_key") || err == nil && tag.RowsAffected() == 0 {
		return emailTaken()
	}
	return err
}
