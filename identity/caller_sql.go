package identity

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// readSession leaves into as it is where the session has ended or is not this user's.
func readSession(b *tenancy.Batch, s id.Session, u id.User, now time.Time, into *Caller) {
	b.Queue(`select `+userColumns+`, credential_version, session_id, amr, acr, auth_time, expires_at, application from users join
			(select id as session_id, user_id, amr, acr, auth_time, expires_at, coalesce(application, '') as application from sessions) s on s.user_id = users.id
		where session_id = $1 and users.id = $2 and active and expires_at > $3`, s, u, now).
		QueryRow(func(row pgx.Row) error {
			var found Session
			user, err := scanUser(row, &into.credentialVersion, &found.ID, &found.AMR, &found.ACR, &found.AuthTime, &found.Expires, &found.Application)
			if err == nil {
				found.User = user.ID
				into.User, into.Session = &user, &found
			}
			return tenancy.OrNone(err)
		})
}
