package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// changePassword writes the new hash if the account is still what the current password was compared with. The race: two
// requests know the current password and want different new ones; the second finds another credential version, by which
// its current password is none any more. The version also fails every login that compared the old password. A login that
// only hashed the same password anew changes no version, and does not count.
func changePassword(ctx context.Context, tx tenancy.Tx, was account, hash password.Hash, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `update users set password_hash = $3, credential_version = credential_version + 1, updated_at = $4
		where id = $1 and credential_version = $2 and active`, was.User.ID, was.CredentialVersion, string(hash), now)
	return tag.RowsAffected() == 1, err
}

// dropChallenges ends what is under way: a challenge is of a login with the old password, and would fail by the version it
// was made at; this way it goes at once. One to enrol a factor would let somebody whom a reset locks out have a factor first.
func dropChallenges(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `delete from challenges where user_id = $1`, u)
	return err
}
