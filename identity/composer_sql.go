package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
)

// addressee is the account a mail is about, by its id or, where a stranger asked for the mail, by the address; the zero
// account where there is none. It stays as it is until the transaction ends: a link that is made in view of it cannot outlive
// a change that is made beside it. And where it was changed after the mail was asked for, nobody is there: who asked may be who
// was shut out by the change.
func addressee(ctx context.Context, tx tenancy.Tx, m mail.Mail) (a account, err error) {
	const asked = ` and coalesce(links_since < $2, true) for share`
	if m.User.IsZero() {
		return a, a.scan(tx.QueryRow(ctx, selectAccount+`email = $1`+asked, m.Address, m.Queued))
	}
	return a, a.scan(tx.QueryRow(ctx, selectAccount+`id = $1`+asked, m.User, m.Queued))
}

// taken reports whether somebody has this address.
func taken(ctx context.Context, tx tenancy.Tx, e Email) (there bool, err error) {
	err = tx.QueryRow(ctx, `select exists (select from users where email = $1)`, e).Scan(&there)
	return there, err
}
