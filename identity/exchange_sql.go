package identity

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// mostCodes is how many codes of one session are kept: whoever asks without end pushes out their own.
const mostCodes = 10

// writeCode keeps a code, and clears away some of those that nobody asks about any more: those that ended before old.
func writeCode(b *tenancy.Batch, c returnCode, old time.Time) {
	b.Queue(`delete from return_codes where hash in (select hash from return_codes where session_id = $1 order by expires_at desc offset $2)`, c.session, mostCodes-1)
	b.Queue(`delete from return_codes where hash in (select hash from return_codes where expires_at <= $1 limit 20 for update skip locked)`, old)
	b.Queue(`insert into return_codes (hash, session_id, return_url, code_challenge, expires_at) values ($1, $2, $3, $4, $5)`,
		c.hash, c.session, c.url, c.challenge, c.expires)
}

// readCode leaves everything as it is where there is no such code, and the account and the session where the browser's
// session has ended. Of a spent code the user is known by the session that it began.
func readCode(b *tenancy.Batch, c *returnCode, a *account, s *Session) {
	b.Queue(`select session_id, return_url, code_challenge, expires_at, spent_by from return_codes where hash = $1`, c.hash).
		QueryRow(func(row pgx.Row) error {
			return tenancy.OrNone(row.Scan(&c.session, &c.url, &c.challenge, &c.expires, &c.spentBy))
		})
	b.Queue(`select s.id, s.user_id, s.amr, s.acr, s.auth_time, s.created_at, s.expires_at, coalesce(s.refreshed_at, s.created_at), s.refresh_expires_at
		from sessions s join return_codes c on c.session_id = s.id where c.hash = $1`, c.hash).
		QueryRow(func(row pgx.Row) error {
			return tenancy.OrNone(row.Scan(&s.ID, &s.User, &s.AMR, &s.ACR, &s.AuthTime, &s.Created, &s.Expires, &s.Refreshed, &s.RefreshExpires))
		})
	b.Queue(selectAccount+`id = (select s.user_id from return_codes c join sessions s on s.id = coalesce(c.spent_by, c.session_id) where c.hash = $1)`, c.hash).
		QueryRow(a.scan)
}

// writeExchanged spends the code and writes the session it begins, in one statement. The race: fifty back ends bring the same
// code; the first changes the row, and the others, who wait for it, find it spent and write no session. The browser's session
// is held, so that it cannot end in between; the guard of the account is that of writeSession.
//
// The user's row is held first, as by everybody who ends sessions: the other way round the two would wait for each other.
func writeExchanged(b *tenancy.Batch, s Session, a account, c returnCode, most int, written *bool) {
	b.Queue(`select from users where id = $1 for no key update`, s.User)
	b.Queue(`with browser as (select id from sessions where id = $12 and expires_at > $6 for share),
		holder as (select id from users where id = $2 and active and email_verified and credential_version = $13 and ('mfa' = any($3) or factors = $16)),
		spent as (update return_codes set spent_by = $1 from browser, holder where hash = $14 and session_id = browser.id and spent_by is null and expires_at > $6 returning hash)
		insert into sessions (id, user_id, amr, acr, auth_time, created_at, expires_at, client_ip, user_agent,
			refreshed_at, refresh_expires_at, refresh_seed, refresh_generation, application)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $6, $10, $11, 1, $15 from spent`,
		s.ID, s.User, s.AMR, s.ACR, s.AuthTime, s.Created, s.Expires, nullAddr(s.Client.IP), s.Client.UserAgent,
		s.RefreshExpires, s.seed, c.session, a.CredentialVersion, c.hash, s.Application, a.User.Factors).
		Exec(func(tag pgconn.CommandTag) error { *written = tag.RowsAffected() == 1; return nil })
	if most < settings.MostSessions {
		// Room is made for what was written, and never by ending the browser's session, which is the oldest by nature.
		b.Queue(`delete from sessions where exists (select from sessions where id = $3)
			and id in (select id from sessions where user_id = $1 and id <> $4 order by id desc offset $2)`, s.User, max(1, most-1), s.ID, c.session)
	}
	sweepSessions(b, s)
}
