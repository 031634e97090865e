package identity

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// adminLetters are the events that a tenant's administrators are written about: what goes wrong unless they do something.
var adminLetters = map[audit.Action]mail.Kind{
	"domain.failing": letter.DomainFailing,
	"domain.lost":    letter.DomainLost,
}

// TellAdministrators writes to a tenant's administrators about an event that wants them to act. It is called beside the entry
// of the log, in its transaction, so each event is written about once.
func TellAdministrators(ctx context.Context, tx tenancy.Tx, e audit.Entry) error {
	kind, ok := adminLetters[e.Action]
	if !ok {
		return nil
	}
	admins, err := administrators(ctx, tx)
	if err != nil {
		return err
	}
	data := map[string]string{}
	for _, name := range kind.Fields() {
		if value, there := e.Metadata[name]; there {
			data[name] = fmt.Sprint(value)
		}
	}
	for _, u := range admins {
		if err := mail.Post(ctx, tx, mail.Mail{Kind: kind, User: u.ID, Address: string(u.Email), Data: data, At: e.CreatedAt}); err != nil {
			return err
		}
	}
	return nil
}
