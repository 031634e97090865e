package identity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// mintedFor is the mail a link is made for.
type mintedFor struct {
	mail      uuid.UUID
	requested time.Time
}

// mintLink puts a link in the place of the user's last one of its purpose. minted is false where the mail has had its day:
// a newer request was answered meanwhile, or the link of this very mail was used and the mail server was slow to say that
// it has the mail. first is false for a mail that is made again because it could not be sent.
func mintLink(ctx context.Context, tx tenancy.Tx, l link, hash []byte, m mintedFor) (minted, first bool, err error) {
	err = tx.QueryRow(ctx, `with before as (select mail_id from links where user_id = $1 and purpose = $2)
		insert into links as l (user_id, purpose, hash, address, new_address, session_id, mail_id, requested_at, expires_at)
		values ($1, $2, $3, $4, nullif($5, ''), $6, $7, $8, $9)
		on conflict (user_id, purpose) do update set hash = excluded.hash, address = excluded.address, new_address = excluded.new_address,
			session_id = excluded.session_id, mail_id = excluded.mail_id, requested_at = excluded.requested_at,
			expires_at = excluded.expires_at, spent_at = null, refused_at = null
		where case when l.mail_id = excluded.mail_id then l.spent_at is null else l.requested_at <= excluded.requested_at end
		returning (select mail_id from before) is distinct from $7`,
		l.User, l.Purpose, hash, l.Address, l.NewAddress, l.Session, [16]byte(m.mail), m.requested, l.Expires).Scan(&first)
	err = tenancy.Found(err, &minted)
	return minted, first, err
}

func readLink(b *tenancy.Batch, into *opened, found *bool) {
	b.Queue(`select `+userColumns+`, purpose, address, coalesce(new_address, ''), session_id, l.expires_at, spent_at is not null
		from users join links l on l.user_id = users.id where hash = $1`, into.hash).
		QueryRow(func(row pgx.Row) error {
			l := &into.link
			u, err := scanUser(row, &l.Purpose, &l.Address, &l.NewAddress, &l.Session, &l.Expires, &l.Spent)
			into.user, l.User = u, u.ID
			return tenancy.Found(err, found)
		})
}

// spendLink is the one statement that a link can pass once. The race: fifty requests bring the same token; the first to
// change the row wins, and the others find it spent. Whether its time is over is asked here again, and the user's row is
// held, so the link cannot be killed in between.
func spendLink(ctx context.Context, tx tenancy.Tx, o opened, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `update links set spent_at = $4
		where hash = $1 and user_id = $2 and purpose = $3 and spent_at is null and expires_at > $4`, o.hash, o.User, o.Purpose, now)
	return err == nil && tag.RowsAffected() == 1, err
}

func refuseLink(ctx context.Context, tx tenancy.Tx, hash []byte, now time.Time) (first bool, err error) {
	tag, err := tx.Exec(ctx, `update links set refused_at = $2 where hash = $1 and refused_at is null`, hash, now)
	return err == nil && tag.RowsAffected() == 1, err
}

// killLinks makes all links of a user useless that were not used yet. The caller holds the user's row: the maker of a link
// holds it, too, so none is made beside this that would live on.
//
// A mail that waits has no link yet. It gets none any more: it was asked for before this moment (see addressee).
func killLinks(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `with asked as (update users set links_since = clock_timestamp() where id = $1)
		delete from links where user_id = $1 and spent_at is null`, u)
	return err
}
