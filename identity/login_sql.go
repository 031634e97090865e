package identity

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// readAccount leaves into as it is where there is no such user.
func readAccount(b *tenancy.Batch, e Email, into *account) {
	b.Queue(selectAccount+`email = $1`, e).QueryRow(into.scan)
}

// readAccountByID is readAccount for a user who is known.
func readAccountByID(b *tenancy.Batch, u id.User, into *account) {
	b.Queue(selectAccount+`id = $1`, u).QueryRow(into.scan)
}

const selectAccount = `select ` + userColumns + `, coalesce(password_hash, ''), credential_version from users where `

func (a *account) scan(row pgx.Row) error {
	u, err := scanUser(row, &a.Hash, &a.CredentialVersion)
	if err == nil {
		a.User = u
	}
	return tenancy.OrNone(err)
}

// One login in sweepEvery sweeps, by chance, and takes away many times what so many logins bring: each sweep is two
// statements that Postgres plans anew for each tenant, a fifth of all a login costs it.
const sweepEvery = 8

// writeSession writes the session if the account is still as the login found it. The race it closes: an administrator
// suspends the user, or the user changes the password or sets up a second factor, while the old password is being hashed
// here; without the guard a session would be born after the sessions it belongs to were ended. The row is locked, because
// one who is about to commit that change has already looked for sessions and seen none: we wait for them and then see the
// account as they left it.
//
// It also clears away some expired sessions, whoever they were of, so that the table is bounded by those that live. A user
// keeps most of them: a client that signs in without end pushes out its own oldest. Where most is what everybody has,
// that is seen to at the next sweep, else at once. Sessions are deleted when the user's row is held, as whoever ends them
// does it: the other way round the two would wait for each other.
func writeSession(b *tenancy.Batch, s Session, a account, p Proof, most int, written *bool) {
	makeRoom(b, s, most)
	b.Queue(`insert into sessions (id, user_id, amr, acr, auth_time, created_at, expires_at, client_ip, user_agent,
			refreshed_at, refresh_expires_at, refresh_seed, refresh_generation)
		select $1, u.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 from users u
		where u.id = $2 and u.active and u.credential_version = $14 and ($15 or u.factors = $16) for share`,
		s.ID, s.User, s.AMR, s.ACR, s.AuthTime, s.Created, s.Expires, nullAddr(s.Client.IP), s.Client.UserAgent,
		s.Refreshed, s.RefreshExpires, s.seed, s.generation, p.CredentialVersion, p.Complete(), a.User.Factors).
		Exec(func(tag pgconn.CommandTag) error { *written = tag.RowsAffected() == 1; return nil })
	sweepSessions(b, s)
}

// makeRoom ends a user's oldest sessions where the tenant lets them have few.
func makeRoom(b *tenancy.Batch, s Session, most int) {
	if most < settings.MostSessions {
		// The race: of two logins at once neither would see the other's session, and both would leave one too many.
		b.Queue(`select from users where id = $1 for no key update`, s.User)
		b.Queue(`delete from sessions where id in (select id from sessions where user_id = $1 order by id desc offset $2)`, s.User, most-1)
	}
}

// sweepSessions clears some away, by chance; see writeSession.
func sweepSessions(b *tenancy.Batch, s Session) {
	if s.ID[len(s.ID)-1]%sweepEvery == 0 { // the last byte of an id is random
		b.Queue(`delete from sessions where id in (select id from sessions where expires_at <= $1 limit 50 for update skip locked)`, s.Created)
		b.Queue(`delete from sessions where id in (select id from sessions where user_id = $1 and id <> $3 order by id desc offset $2 limit 50)`,
			s.User, settings.MostSessions-1, s.ID)
	}
}

// readExpiry leaves ends as it is where there is no such session.
func readExpiry(b *tenancy.Batch, s id.Session, ends *time.Time) {
	b.Queue(`select expires_at from sessions where id = $1`, s).QueryRow(func(row pgx.Row) error {
		return tenancy.OrNone(row.Scan(ends))
	})
}

// raiseSession gives a session the assurance of a step-up and the successor of the refresh token it had; how long the
// session lasts does not change. The guard is that of writeSession.
func raiseSession(b *tenancy.Batch, s *Session, p Proof, written *bool) {
	b.Queue(`update sessions s set amr = $3, acr = $4, auth_time = $5, refreshed_at = $6, refresh_expires_at = least($7, s.expires_at),
			refresh_seed = coalesce(s.refresh_seed, $8), refresh_generation = s.refresh_generation + 1
		from users u where s.id = $1 and s.user_id = $2 and u.id = $2 and u.active and u.credential_version = $9 and s.expires_at > $6
		returning s.created_at, s.expires_at, s.refresh_expires_at, s.refresh_seed, s.refresh_generation`,
		s.ID, s.User, s.AMR, s.ACR, s.AuthTime, s.Refreshed, s.RefreshExpires, s.seed, p.CredentialVersion).
		QueryRow(func(row pgx.Row) error {
			return tenancy.Found(row.Scan(&s.Created, &s.Expires, &s.RefreshExpires, &s.seed, &s.generation), written)
		})
}

// replaceHash gives way to whoever changed the password meanwhile.
func replaceHash(b *tenancy.Batch, u id.User, old, fresh password.Hash) {
	b.Queue(`update users set password_hash = $3 where id = $1 and password_hash = $2`, u, string(old), string(fresh))
}
