package identity

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// readRenewable leaves a and s as they are where there is no such session. A session that the version before this one began
// has no seed, and none of its refresh tokens is taken.
//
// It reads what a refresh needs, and so never the user's picture; and by two statements on a table each, because Postgres
// plans them anew for each tenant, and a join takes it half as long again.
func readRenewable(b *tenancy.Batch, session id.Session, a *account, s *Session) {
	b.Queue(`select id, user_id, amr, acr, auth_time, created_at, expires_at, coalesce(refreshed_at, created_at), refresh_expires_at,
			refresh_seed, refresh_generation, coalesce(application, '') from sessions where id = $1`, session).
		QueryRow(func(row pgx.Row) error {
			return tenancy.OrNone(row.Scan(&s.ID, &s.User, &s.AMR, &s.ACR, &s.AuthTime, &s.Created, &s.Expires, &s.Refreshed, &s.RefreshExpires,
				&s.seed, &s.generation, &s.Application))
		})
	b.Queue(`select id, email, name, roles, active, email_verified, factors, created_at, credential_version
		from users where id = (select user_id from sessions where id = $1)`, session).
		QueryRow(func(row pgx.Row) error {
			u := &a.User
			return tenancy.OrNone(row.Scan(&u.ID, &u.Email, &u.Name, &u.Roles, &u.Active, &u.EmailVerified, &u.Factors, &u.CreatedAt,
				&a.CredentialVersion))
		})
}

// rotateSession makes the session what next says, if its newest token is still the one before. The race it closes: fifty
// requests bring the same token at once, all have read that it is the newest, and all have signed; the first to come here
// changes the generation, and the others, who wait for the row, find another one than they look for. The account is held
// against what was read, too. Who is about to change it and end its sessions needs no lock here: they delete this row,
// before or after.
func rotateSession(b *tenancy.Batch, next Session, a account, rotated *bool) {
	b.Queue(`update sessions s set refresh_generation = $3, refreshed_at = $4, refresh_expires_at = $5, expires_at = $6
		from users u where s.id = $1 and s.refresh_generation = $3 - 1 and s.expires_at > $4 and s.refresh_expires_at > $4
			and u.id = s.user_id and u.id = $2 and u.active and u.email_verified and u.credential_version = $7`,
		next.ID, next.User, next.generation, next.Refreshed, next.RefreshExpires, next.Expires, a.CredentialVersion).
		Exec(func(tag pgconn.CommandTag) error { *rotated = tag.RowsAffected() == 1; return nil })
}

// readRotated reads what another request made of the session.
func readRotated(b *tenancy.Batch, session id.Session, a account, s *Session) {
	b.Queue(`select s.refresh_generation, s.refreshed_at, s.refresh_expires_at from sessions s join users u on u.id = s.user_id
		where s.id = $1 and u.id = $2 and u.active and u.email_verified and u.credential_version = $3`, session, a.User.ID, a.CredentialVersion).
		QueryRow(func(row pgx.Row) error {
			return tenancy.OrNone(row.Scan(&s.generation, &s.Refreshed, &s.RefreshExpires))
		})
}
