package identity

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func listSessions(b *tenancy.Batch, u id.User, current, after id.Session, now time.Time, limit int, into *[]Session) {
	b.Queue(`select id, amr, acr, auth_time, created_at, expires_at, coalesce(refreshed_at, created_at), refresh_expires_at,
			client_ip, coalesce(user_agent, ''), coalesce(application, '')
		from sessions where user_id = $1 and id > $2 and expires_at > $3 and (refresh_expires_at > $3 or id = $4)
		order by id limit $5`, u, [16]byte(after), now, current, limit).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Session, err error) {
				var ip *netip.Addr
				err = row.Scan(&s.ID, &s.AMR, &s.ACR, &s.AuthTime, &s.Created, &s.Expires, &s.Refreshed, &s.RefreshExpires, &ip, &s.Client.UserAgent, &s.Application)
				if ip != nil {
					s.Client.IP = *ip
				}
				return s, err
			})
			return err
		})
}

// endSession reports whether there was such a session to end.
func endSession(ctx context.Context, tx tenancy.Tx, u id.User, s id.Session) (bool, error) {
	tag, err := tx.Exec(ctx, `delete from sessions where id = $1 and user_id = $2`, s, u)
	return tag.RowsAffected() == 1, err
}

// endSessions ends all of a user's sessions.
func endSessions(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := endSessionsBut(ctx, tx, u, id.Session{})
	return err
}

// endSessionsBut ends all but one; the zero session spares none.
func endSessionsBut(ctx context.Context, tx tenancy.Tx, u id.User, but id.Session) (int64, error) {
	tag, err := tx.Exec(ctx, `delete from sessions where user_id = $1 and id is distinct from $2`, u, but)
	return tag.RowsAffected(), err
}

// EndWeakSessions ends those that proved one factor alone, for a user who has a second one from now on. A login under way
// finds out by itself (see writeSession).
func EndWeakSessions(ctx context.Context, tx tenancy.Tx, u id.User, but id.Session) error {
	_, err := tx.Exec(ctx, `delete from sessions where user_id = $1 and id is distinct from $2 and not 'mfa' = any(amr)`, u, but)
	return err
}

// expireLogins has every login under way fail: it finds another credential version than it began with. Without it a login
// that has proved its password would write its session a moment after all sessions were ended.
func expireLogins(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `update users set credential_version = credential_version + 1 where id = $1`, u)
	return err
}
