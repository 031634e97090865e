package transfer

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// importRows are users to be, by column: one statement writes them all.
type importRows struct {
	at                    time.Time
	ids                   [][16]byte
	emails, names, hashes []string
	verified              []bool
}

func (r *importRows) add(u identity.User, hash password.Hash) {
	r.ids = append(r.ids, u.ID)
	r.emails, r.names, r.hashes = append(r.emails, string(u.Email)), append(r.names, u.Name), append(r.hashes, string(hash))
	r.verified = append(r.verified, u.EmailVerified)
}

// importUsers adds the users whose address nobody has, and answers who has each of the addresses now: the user that was
// added, or another. Somebody may take an address between the two statements' snapshots and the check before them; the
// insert gives way to them, and the second statement sees them. Two that add the same people go through them in one order, or
// each would wait for an address that the other has just written.
func importUsers(ctx context.Context, tx tenancy.Tx, r *importRows) (map[identity.Email]id.User, error) {
	have := make(map[identity.Email]id.User, len(r.ids))
	if len(r.ids) == 0 {
		return have, nil
	}
	_, err := tx.Exec(ctx, `insert into users (id, email, name, roles, auth_provider, active, email_verified, is_owner, password_hash, created_at, updated_at)
		select id, email, name, '{user}', 'local', true, verified, false, nullif(hash, ''), $6, $6
		from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[]) as line (id, email, name, verified, hash)
		order by email on conflict (email) do nothing`, r.ids, r.emails, r.names, r.verified, r.hashes, r.at)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `select email, id from users where email = any($1)`, r.emails)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e identity.Email
		var u id.User
		if err := rows.Scan(&e, &u); err != nil {
			return nil, err
		}
		have[e] = u
	}
	return have, rows.Err()
}
