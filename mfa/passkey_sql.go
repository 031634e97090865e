package mfa

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// readPasskeyHolder leaves into as it is where there is no such passkey. A security key that happens to be discoverable
// is no passkey.
func readPasskeyHolder(b *tenancy.Batch, credentialID []byte, into *passkeyHolder) {
	b.Queue(`select `+recordColumns+`, u.id, u.active and u.email_verified, u.credential_version
		from factors f join users u on u.id = f.user_id
		where f.credential_id = $1 and f.method_type = 'webauthn_passkey' and f.confirmed_at is not null`, credentialID).
		QueryRow(func(row pgx.Row) error {
			return tenancy.OrNone(into.scan(row, &into.user, &into.maySignIn, &into.credentialVersion))
		})
}

// clockSkew is how far apart the clocks of replicas may be: the mark of a used challenge outlives the challenge by it.
const clockSkew = time.Minute

// payPasskey accepts an assertion and marks its challenge as used, once: of two that bring the same challenge the second
// waits for the mark of the first and finds it there. The mark belongs to nobody, so that the share of challenges a user
// has does not push it out.
func payPasskey(b *tenancy.Batch, hash []byte, spent statement, now, expires time.Time, done *bool) {
	sweep(b, now)
	n := len(spent.args) + 2
	b.Queue(fmt.Sprintf(`with mark as (
			insert into challenges (id_hash, purpose, methods, amr, auth_time, credential_version, tries, created_at, expires_at)
			values ($1, 'passkey', '{}', '{}', $%d, 0, 0, $%d, $%d) on conflict (id_hash) do nothing returning 1
		), spent as (%s and exists (select from mark) returning 1)
		select exists (select from spent)`, n, n, n+1, spent.sql),
		append(append([]any{hash}, spent.args...), now, expires.Add(clockSkew))...).
		QueryRow(func(row pgx.Row) error { return row.Scan(done) })
}
