package policyadmin

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const isLogin = `action in ('login.succeeded', 'login.failed') and created_at <= $1`

func countLogins(b *tenancy.Batch, from, until time.Time, into *int) {
	b.Queue(`select count(*) from audit_log where `+isLogin+` and created_at > $2`, until, from).
		QueryRow(func(row pgx.Row) error { return row.Scan(into) })
}

// readLogins reads what follows a login, in the order of time.
func readLogins(b *tenancy.Batch, after pastLogin, until time.Time, most int, into *[]pastLogin) {
	b.Queue(`select seq, created_at, coalesce(resource_id, ''), action = 'login.succeeded', entry from audit_log
		where `+isLogin+` and (created_at, seq) > ($2, $3) order by created_at, seq limit $4`, until, after.at, after.seq, most).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, scanLogin)
			return err
		})
}

func scanLogin(row pgx.CollectableRow) (l pastLogin, err error) {
	var user, entry string
	if err := row.Scan(&l.seq, &l.at, &user, &l.succeeded, &entry); err != nil {
		return l, err
	}
	l.at = l.at.UTC()
	l.user, _ = id.ParseUser(user) // zero: of an address that nobody has
	return l, l.parse(entry)
}

const selectSubject = `select id, email, email_verified, is_owner, roles, factors, created_at from users where `

func scanSubject(row pgx.Row) (s policy.Subject, err error) {
	err = row.Scan(&s.ID, &s.Email, &s.EmailVerified, &s.Owner, &s.Roles, &s.Factors, &s.Created)
	return s, err
}

func readSubjects(b *tenancy.Batch, users []id.User, into map[id.User]*policy.Subject) {
	b.Queue(selectSubject+`id = any($1)`, users).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (policy.Subject, error) { return scanSubject(row) })
		for i := range found {
			into[found[i].ID] = &found[i]
		}
		return err
	})
}

// readSubject leaves into as it is where there is no such user.
func readSubject(b *tenancy.Batch, u id.User, email string, into **policy.Subject) {
	b.Queue(selectSubject+`id = $1 or email = $2`, u, email).QueryRow(func(row pgx.Row) error {
		s, err := scanSubject(row)
		if err == nil {
			*into = &s
		}
		return tenancy.OrNone(err)
	})
}
