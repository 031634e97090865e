package identity

import (
	"context"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// page is where a link leads. Opening it changes nothing: the page there sends the token by POST.
var page = map[purpose]string{
	invitation:         "/set-password",
	verifyEmail:        "/verify-email",
	resetPassword:      "/reset-password",
	confirmEmailChange: "/confirm-email",
}

// Composer makes the links of mails when they are sent, and decides then whether a mail is still to be sent at all. So
// whoever asks for one learns nothing from what was done about it, and no token is stored or waits in a queue.
type Composer struct {
	Address tenancy.Address
	Now     func() time.Time
}

// Composers are those of all mails that carry a link.
func (c Composer) Composers() map[mail.Kind]mail.Composer {
	all := map[mail.Kind]mail.Composer{}
	for p := range linkLife {
		all[mail.Kind(p)] = c
	}
	return all
}

// Compose makes the link of a mail. mail.ErrDropped: there is no such account, or the mail has lost its sense since it was
// asked for.
func (c Composer) Compose(ctx context.Context, tx tenancy.Tx, m mail.Mail) (w mail.Words, err error) {
	p := purpose(m.Kind)
	u, err := c.reader(ctx, tx, p, m)
	if err != nil {
		return w, err
	}
	token := newSecret(linkPrefix, tx.Tenant())
	l := link{User: u.ID, Purpose: p, Address: u.Email, Expires: c.Now().Add(linkLife[p])}
	if p == confirmEmailChange {
		l.NewAddress = Email(m.Address)
		l.Session, _ = id.ParseSession(m.Data["session"])
	}
	if w.Name, w.Locale, err = greeting(ctx, tx, u.ID); err != nil {
		return w, err
	}
	minted, first, err := mintLink(ctx, tx, l, hashSecret(token), mintedFor{m.ID, m.At})
	switch {
	case err != nil:
		return w, err
	case !minted:
		return w, mail.ErrDropped
	case first && p == resetPassword: // of a mail that is made again the log was told
		e := audit.Event{Action: "password.reset_requested", Actor: audit.Actor{Type: audit.ByAnonymous}, At: c.Now()}
		err = audit.Record(ctx, tx, e.User(u.ID))
	}
	w.Link, w.ValidFor = c.link(tx.Tenant(), p, token), linkLife[p]
	return w, err
}

// link is the URL that is mailed. It is made of what the tenant is configured with and of nothing a request says.
func (c Composer) link(t tenancy.Tenant, p purpose, token string) string {
	return c.Address.Issuer(t) + page[p] + "?token=" + url.QueryEscape(token)
}

// reader is the user who has a use for a link of this kind.
func (c Composer) reader(ctx context.Context, tx tenancy.Tx, p purpose, m mail.Mail) (User, error) {
	a, err := addressee(ctx, tx, m)
	if err != nil {
		return User{}, err
	}
	if !a.wants(p, m) {
		return User{}, mail.ErrDropped
	}
	if p != confirmEmailChange {
		return a.User, nil
	}
	there, err := taken(ctx, tx, Email(m.Address))
	if err == nil && there { // whoever has it is told; whoever wanted it learns nothing
		err = mail.Post(ctx, tx, mail.Mail{Kind: letter.AccountExists, Address: m.Address, At: c.Now()})
	}
	if err == nil && there {
		err = mail.ErrDropped
	}
	return a.User, err
}

// wants reports whether the account has a use for a link of this kind. Nobody's account has none.
func (a account) wants(p purpose, m mail.Mail) bool {
	u := a.User
	if !u.Active || u.AuthProvider != ProviderLocal {
		return false
	}
	switch p {
	case invitation:
		return string(u.Email) == m.Address && (a.Hash == "" || !u.EmailVerified)
	case verifyEmail:
		return string(u.Email) == m.Address && !u.EmailVerified
	case confirmEmailChange:
		return string(u.Email) == m.Data["from"]
	default:
		return string(u.Email) == m.Address
	}
}
