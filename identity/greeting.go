package identity

import (
	"context"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
)

// Greeting composes mails that tell of something and carry no link: it knows whom they greet, and in which
// language. Of an account that is gone it is told without a name.
type Greeting struct{}

// Compose finds name and language.
func (Greeting) Compose(ctx context.Context, tx tenancy.Tx, m mail.Mail) (w mail.Words, err error) {
	w.Name, w.Locale, err = greeting(ctx, tx, m.User)
	return w, err
}
