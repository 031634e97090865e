package guessing

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// CountAgain is the curve, of passwords and of second factors: what is set in a counter f that counts one more wrong answer.
// Five are free; after the n-th, 2^(n-5) seconds have to pass, 900 at most. After a day of quiet the waiting starts over; the
// number of wrong answers in a row does not. A failure that was free leaves no moment behind to wait for: those at once are not
// counted in the order of their clocks. now is a placeholder, since the name of the column that holds the last failure.
func CountAgain(now, since string) string {
	quiet := fmt.Sprintf(`f.%s < %s - interval '24 hours'`, since, now)
	return fmt.Sprintf(`failures = case when %[1]s then 1 else f.failures + 1 end,
		consecutive = f.consecutive + 1, %[3]s = %[2]s,
		blocked_until = case when %[1]s or f.failures < %[4]d then 'epoch'
			else %[2]s + least(%[5]d, power(2, least(f.failures, 20) - %[4]d + 1)) * interval '1 second' end`,
		quiet, now, since, freeFailures, int(maxWait.Seconds()))
}

var countTrySQL = `with open as (
		select coalesce((select id from users where email = $2), $1) as key
		where not exists (select from failures where key = any($3) and blocked_until > $4)
	)
	insert into failures as f (key, failures, consecutive, since, blocked_until)
	select key, 1, 1, $4, 'epoch' from open
	on conflict (key) do update set ` + CountAgain(`$4`, `since`) + `
	where f.blocked_until <= $4 and f.consecutive < $5
	returning f.key, f.failures, f.consecutive`

// countTry counts a try against its account, unless the account or the network has to wait, in one statement and before the
// password is looked at. Fifty at once queue up at the account's row, and each sees what the one before has left of it.
func countTry(b *tenancy.Batch, y *Try, address string, counted *bool) {
	b.Queue(countTrySQL, y.account, address, keysOf(y.windows), y.at, MaxConsecutive).QueryRow(func(row pgx.Row) error {
		return tenancy.Found(row.Scan(&y.account, &y.failures, &y.consecutive), counted)
	})
}

// readWait tells how long a try has to wait that was not counted, for its account and for its network.
func readWait(b *tenancy.Batch, y Try, address string, account, network *time.Duration) {
	b.Queue(`select key = any($1), blocked_until, consecutive from failures
		where key = any($1) or key = coalesce((select id from users where email = $3), $2)`, keysOf(y.windows), y.account, address).
		Query(func(rows pgx.Rows) error {
			var ofNetwork bool
			var until time.Time
			var consecutive int
			_, err := pgx.ForEachRow(rows, []any{&ofNetwork, &until, &consecutive}, func() error {
				switch wait := until.Sub(y.at); {
				case ofNetwork:
					*network = max(*network, wait)
				case consecutive >= MaxConsecutive:
					*account = max(stopped, wait)
				default:
					*account = max(*account, wait)
				}
				return nil
			})
			return err
		})
}

// forgive forgets the failures of an account whose password was right, unless the network has to wait.
func forgive(b *tenancy.Batch, y Try, wait *time.Duration) {
	b.Queue(`with shut as (
			select max(blocked_until) as until from failures where key = any($2) and blocked_until > $3
		), forgiven as (
			delete from failures where key = $1 and (select until from shut) is null
		)
		select until from shut`, y.account, keysOf(y.windows), y.at).
		QueryRow(func(row pgx.Row) error {
			var until *time.Time
			err := row.Scan(&until)
			if err == nil && until != nil {
				*wait = until.Sub(y.at)
			}
			return err
		})
}

// uncountTry lets the next try come at once: the one that is taken back came after all earlier waits were over.
func uncountTry(b *tenancy.Batch, y Try) {
	b.Queue(`update failures set failures = greatest(failures - 1, 0), consecutive = greatest(consecutive - 1, 0), blocked_until = 'epoch'
		where key = $1`, y.account)
	b.Queue(`delete from failures where key = $1 and consecutive = 0`, y.account)
}

// countWindows counts a failure of a network, and says how long to wait if it is one too many.
func countWindows(b *tenancy.Batch, all []window, now time.Time, wait *time.Duration) {
	for _, w := range all {
		b.Queue(`insert into failures as f (key, failures, consecutive, since, blocked_until) values ($1, 1, 0, $2, 'epoch')
			on conflict (key) do update set
				failures = case when f.since <= $2 - $3::interval then 1 else f.failures + 1 end,
				since = case when f.since <= $2 - $3::interval then $2 else f.since end,
				blocked_until = case when f.since <= $2 - $3::interval or f.failures + 1 < $4 then 'epoch' else f.since + $3::interval end
			returning failures, blocked_until`, w.key, now, w.in, w.most).
			QueryRow(func(row pgx.Row) error {
				var failures int
				var until time.Time
				err := row.Scan(&failures, &until)
				if failures > w.most {
					*wait = max(*wait, until.Sub(now))
				}
				return err
			})
	}
}

// The counters of networks and of names nobody has lie in 4,096 buckets, by the bits after the first one of their keys, and
// of each bucket so many are kept: 98,304 in all, and as many more as come between two sweeps of a bucket.
const (
	bucketBits = 12
	perBucket  = 24
)

// bucketOf are the least and the greatest key of the bucket that a key is in.
func bucketOf(key uuid.UUID) (least, greatest uuid.UUID) {
	const rest = 1<<(31-bucketBits) - 1
	head := binary.BigEndian.Uint32(key[:])
	for i := range greatest {
		greatest[i] = 0xff
	}
	binary.BigEndian.PutUint32(least[:], head&^rest)
	binary.BigEndian.PutUint32(greatest[:], head|rest)
	return least, greatest
}

// trimFailures bounds the table. A failure brings three rows at most, and sweeps the bucket that one of them is in, which is
// one by chance: of what nobody has asked for in a month and of what is too many. Counts that somebody has to wait for stay
// longest, of the others the newest.
//
// Nobody gains by it. To have one name's count forgotten a bucket must be filled with newer ones; which names share a bucket
// is a secret of the tenant's key, so that takes failures by the hundred thousand; and the counts of users are in no bucket
// at all. Rows that another transaction holds are left alone, and it comes after what is counted: two that sweep each
// other's would wait for each other.
func trimFailures(b *tenancy.Batch, made uuid.UUID, now time.Time) {
	least, greatest := bucketOf(made)
	b.Queue(`delete from failures where key in (
			select key from failures where key between $1 and $2 and (since < $3 or key in (
				select key from failures where key between $1 and $2 order by failures > $4 desc, since desc offset $5))
			for update skip locked)`, least, greatest, now.AddDate(0, -1, 0), freeFailures, perBucket)
}

// Forget lets the password of an account be tried again at once, inside the transaction that gives a reason to:
// recovery by mail, or an administrator.
func Forget(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `delete from failures where key = $1`, u)
	return err
}

func keysOf(all []window) []uuid.UUID {
	keys := make([]uuid.UUID, len(all))
	for i, w := range all {
		keys[i] = w.key
	}
	return keys
}
