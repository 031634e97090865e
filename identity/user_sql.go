package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// userColumns are read by every login and every request of a signed-in user, so what is only shown is not among them.
const userColumns = `id, email, name, roles, auth_provider, active, email_verified, is_owner, factors, created_at, updated_at`

// scanUser reads userColumns, and after them what else was selected into more.
func scanUser(row pgx.Row, more ...any) (u User, err error) {
	err = row.Scan(append([]any{&u.ID, &u.Email, &u.Name, &u.Roles, &u.AuthProvider, &u.Active, &u.EmailVerified, &u.Owner,
		&u.Factors, &u.CreatedAt, &u.UpdatedAt}, more...)...)
	u.CreatedAt, u.UpdatedAt = u.CreatedAt.UTC(), u.UpdatedAt.UTC()
	return u, err
}

// scanShown reads userColumns and the avatar.
func scanShown(row pgx.Row) (User, error) {
	var avatar *string
	u, err := scanUser(row, &avatar)
	u.Avatar = avatar
	return u, err
}

func insertUser(ctx context.Context, tx tenancy.Tx, u User, hash password.Hash) error {
	// A violation would be written, address and all, to Postgres's own log; so there is none.
	tag, err := tx.Exec(ctx, `insert into users (id, email, name, roles, auth_provider, active, email_verified, is_owner, password_hash, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10, $10) on conflict (email) do nothing`,
		u.ID, u.Email, u.Name, u.Roles, u.AuthProvider, u.Active, u.EmailVerified, u.Owner, string(hash), u.CreatedAt)
	if err == nil && tag.RowsAffected() == 0 {
		return emailTaken()
	}
	return err
}

func readUser(b *tenancy.Batch, u id.User, into **User) {
	b.Queue(`select `+userColumns+`, avatar from users where id = $1`, u).QueryRow(func(row pgx.Row) error {
		found, err := scanShown(row)
		if err == nil {
			*into = &found
		}
		return tenancy.OrNone(err)
	})
}

func listUsers(b *tenancy.Batch, after id.User, limit int, email Email, query string, into *[]User, whole *int) {
	pattern := ""
	if query != "" {
		pattern = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(query) + "%"
	}
	// The length of a long text is known without reading it.
	b.Queue(`select `+userColumns+`, case when before < $5 then avatar end, before < $5 from (
			select `+userColumns+`, avatar,
				coalesce(sum(octet_length(avatar)) over (order by id rows between unbounded preceding and 1 preceding), 0) as before
			from (select `+userColumns+`, avatar from users
				where id > $1 and ($2 = '' or email = $2) and ($3 = '' or email ilike $3 or name ilike $3)
				order by id limit $4) page
		) weighed order by id`, [16]byte(after), email, pattern, limit, pictures).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (User, error) {
				var avatar *string
				var fits bool
				u, err := scanUser(row, &avatar, &fits)
				if u.Avatar = avatar; fits {
					*whole++
				}
				return u, err
			})
			return err
		})
}

// LockUser reads a user for a change, and keeps two administrators who change one user from acting on what the other is about to
// replace. Rows that refer to the user may be added meanwhile: whoever adds one may hold what this transaction takes next.
func LockUser(ctx context.Context, tx tenancy.Tx, u id.User) (User, error) {
	found, err := scanUser(tx.QueryRow(ctx, `select `+userColumns+` from users where id = $1 for no key update`, u))
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, problem.NotFound()
	}
	return found, err
}

// updateUser raises the credential version when the account is suspended or loses a role. The race: a login under way has
// read the account as it was and writes its session after all sessions were ended; it finds another version and fails.
func updateUser(ctx context.Context, tx tenancy.Tx, u id.User, c UserChange, now time.Time) (User, error) {
	return scanShown(tx.QueryRow(ctx, `update users set name = coalesce($2, name), roles = coalesce($3, roles), active = coalesce($4, active),
			credential_version = credential_version + case when $4 = false or not (roles <@ coalesce($3, roles)) then 1 else 0 end,
			updated_at = $5
		where id = $1 returning `+userColumns+`, avatar`, u, c.Name, c.Roles, c.Active, now))
}

func deleteUser(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `delete from users where id = $1`, u)
	return err
}

// insertOwner adds a new tenant's owner, unless an interrupted provisioning did so already.
func insertOwner(ctx context.Context, tx tenancy.Tx, u User) error {
	var there bool
	err := tx.QueryRow(ctx, `select exists (select from users where id = $1)`, u.ID).Scan(&there)
	if err != nil || there {
		return err
	}
	return insertUser(ctx, tx, u, "")
}
