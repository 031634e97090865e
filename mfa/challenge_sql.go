package mfa

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// sweep clears away what has expired, a few at a time, so that abandoned challenges do not pile up.
func sweep(b *tenancy.Batch, now time.Time) {
	b.Queue(`delete from challenges where id_hash in (select id_hash from challenges where expires_at <= $1 limit 10 for update skip locked)`, now)
}

// writeChallenge also clears away what has expired, and the user's oldest beyond their share.
func writeChallenge(b *tenancy.Batch, hash []byte, c challenge, now time.Time) {
	sweep(b, now)
	b.Queue(`delete from challenges where id_hash in (select id_hash from challenges where user_id = $1 order by created_at desc offset $2)`,
		c.proof.User, perUser-1)
	b.Queue(`insert into challenges (id_hash, purpose, user_id, session_id, methods, amr, auth_time, credential_version, ceremony, created_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10, $11)
		on conflict (id_hash) do update set methods = excluded.methods, ceremony = excluded.ceremony, tries = 0,
			created_at = excluded.created_at, expires_at = excluded.expires_at`, // only a registration has an id that comes again
		hash, c.purpose, c.proof.User, c.proof.Session, c.methods, nonNil(c.proof.AMR), c.proof.AuthTime, c.proof.CredentialVersion, c.ceremony,
		now, now.Add(challengeLife))
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

const challengeColumns = `purpose, user_id, session_id, methods, amr, auth_time, credential_version, coalesce(ceremony, '')`

func (c *challenge) scan(row pgx.Row) error {
	return row.Scan(&c.purpose, &c.proof.User, &c.proof.Session, &c.methods, &c.proof.AMR, &c.proof.AuthTime, &c.proof.CredentialVersion, &c.ceremony)
}

func readChallenge(b *tenancy.Batch, hash []byte, now time.Time, into *challenge, found *bool) {
	b.Queue(`select `+challengeColumns+` from challenges where id_hash = $1 and expires_at > $2 and tries < $3`, hash, now, challengeTries).
		QueryRow(func(row pgx.Row) error { return tenancy.Found(into.scan(row), found) })
}

var countTrySQL = `with c as (
		select id_hash, user_id from challenges
		where id_hash = $1 and purpose = any($2) and methods && $3 and expires_at > $4 and tries < $5
		for update
	), g as (
		insert into factor_failures as f (user_id, failures, consecutive, last_at, blocked_until)
		select user_id, 1, 1, $4, 'epoch' from c
		on conflict (user_id) do update set ` + guessing.CountAgain(`$4`, `last_at`) + `
		where f.blocked_until <= $4 and f.consecutive < $6
		returning user_id
	)
	update challenges set tries = tries + 1 where id_hash in (select id_hash from c) and exists (select from g)
	returning ` + challengeColumns

// countTry counts a try against the account and the challenge, in one statement and before the answer is looked at. What
// comes in a time of waiting is neither counted nor looked at.
func countTry(b *tenancy.Batch, hash []byte, purposes []purpose, kinds []string, now time.Time, into *challenge, counted *bool) {
	b.Queue(countTrySQL, hash, purposes, kinds, now, challengeTries, guessing.MaxConsecutive).
		QueryRow(func(row pgx.Row) error { return tenancy.Found(into.scan(row), counted) })
}

func uncountTry(b *tenancy.Batch, hash []byte, p identity.Proof) {
	b.Queue(`update challenges set tries = greatest(tries - 1, 0) where id_hash = $1`, hash)
	b.Queue(`update factor_failures set failures = greatest(failures - 1, 0), consecutive = greatest(consecutive - 1, 0), blocked_until = 'epoch'
		where user_id = $1`, p.User)
}

// readGuard tells why a try was not counted: only whoever has a good challenge is told that the account has to wait.
func readGuard(b *tenancy.Batch, hash []byte, purposes []purpose, kinds []string, now time.Time, into *guard) {
	b.Queue(`select coalesce(f.blocked_until, 'epoch'), coalesce(f.consecutive, 0) from challenges c left join factor_failures f on f.user_id = c.user_id
		where c.id_hash = $1 and c.purpose = any($2) and c.methods && $3 and c.expires_at > $4 and c.tries < $5`, hash, purposes, kinds, now, challengeTries).
		QueryRow(func(row pgx.Row) error {
			return tenancy.Found(row.Scan(&into.blockedUntil, &into.consecutive), &into.open)
		})
}

// statement is SQL with its arguments; its placeholders begin at $2.
type statement struct {
	sql  string
	args []any
}

// forgive begins the counting of a user's wrong factors again. The row stays: the next try would write it again, and check
// again that the user is there.
const forgive = `update factor_failures set failures = 0, consecutive = 0, blocked_until = 'epoch' where user_id in (select user_id from paid)`

func payChallenge(b *tenancy.Batch, hash []byte, spent statement, done *bool) {
	b.Queue(fmt.Sprintf(`with spent as (%s returning 1), paid as (
			delete from challenges where id_hash = $1 and exists (select from spent) returning user_id
		), forgiven as (%s)
		select exists (select from paid)`, spent.sql, forgive), append([]any{hash}, spent.args...)...).
		QueryRow(func(row pgx.Row) error { return row.Scan(done) })
}

// deleteChallenge spends a challenge inside a larger transaction.
func deleteChallenge(ctx context.Context, tx tenancy.Tx, hash []byte) error {
	tag, err := tx.Exec(ctx, `with paid as (delete from challenges where id_hash = $1 returning user_id), forgiven as (`+forgive+`)
		select from paid`, hash)
	if err == nil && tag.RowsAffected() == 0 {
		return errChallengeExpired()
	}
	return err
}
