package identity

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const profileColumns = `first_name, last_name, display_name, avatar`

func (p *Profile) scan(row pgx.Row) error {
	return gone(row.Scan(&p.FirstName, &p.LastName, &p.DisplayName, &p.Avatar))
}

// gone says of a signed-in user who is not there that they were deleted a moment ago.
func gone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.BadCredential()
	}
	return err
}

func readProfile(b *tenancy.Batch, u id.User, into *Profile) {
	b.Queue(`select `+profileColumns+` from users where id = $1`, u).QueryRow(into.scan)
}

func updateProfile(ctx context.Context, tx tenancy.Tx, u id.User, c ProfileChange, now time.Time) (p Profile, err error) {
	err = p.scan(tx.QueryRow(ctx, `update users set
			first_name = case when $3 then $4 else first_name end, last_name = case when $5 then $6 else last_name end,
			display_name = case when $7 then $8 else display_name end, avatar = case when $9 then $10 else avatar end, updated_at = $2
		where id = $1 returning `+profileColumns, u, now,
		c.FirstName.Set, c.FirstName.Ptr(), c.LastName.Set, c.LastName.Ptr(), c.DisplayName.Set, c.DisplayName.Ptr(), c.Avatar.Set, c.Avatar.Ptr()))
	return p, err
}
