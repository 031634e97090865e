package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// setPassword raises the credential version. The race: a login under way has compared the old password and writes its
// session after all sessions were ended; it finds another version and fails. What was mailed or begun in view of the old
// password ends here, whoever changes it.
func setPassword(ctx context.Context, tx tenancy.Tx, u id.User, hash password.Hash, verified bool, now time.Time) error {
	tag, err := tx.Exec(ctx, `update users set password_hash = nullif($2, ''), credential_version = credential_version + 1,
			email_verified = email_verified or $3, updated_at = $4 where id = $1`, u, string(hash), verified, now)
	if err == nil && tag.RowsAffected() == 0 {
		err = problem.NotFound()
	}
	if err == nil {
		err = killLinks(ctx, tx, u)
	}
	if err == nil {
		err = dropChallenges(ctx, tx, u)
	}
	return err
}
