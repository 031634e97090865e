package identity

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// linkPrefix begins the token of every link, so that secret scanners recognise one.
const linkPrefix = "ghl_"

// purpose is what a link is good for, and nothing else. It is named like the mail that carries the link.
type purpose string

const (
	invitation         = purpose(letter.Invitation)
	verifyEmail        = purpose(letter.VerifyEmail)
	resetPassword      = purpose(letter.ResetPassword)
	confirmEmailChange = purpose(letter.ConfirmEmailChange)
)

// linkLife is how long a link works from the making of its mail.
var linkLife = map[purpose]time.Duration{
	invitation:         7 * 24 * time.Hour,
	verifyEmail:        24 * time.Hour,
	resetPassword:      30 * time.Minute,
	confirmEmailChange: time.Hour,
}

// link is what is kept of one, beside the hash of its token.
type link struct {
	User       id.User
	Purpose    purpose
	Address    Email      // of the user when the link was made
	NewAddress Email      // of an e-mail change
	Session    id.Session // of an e-mail change: who asked for it
	Expires    time.Time
	Spent      bool
}

// Links is what people do with the links they were mailed. A link proves that somebody reads the mailbox, and gives the one
// right it was made for; none signs in.
//
//	request --mail.Post--> mails --Composer--> link, mail --person--> token --> Links
//
// A link dies when it is used, when a newer one of its purpose is made, when its time is over, and with whatever it was
// made in view of: the address it went to, the password, the good standing of the account.
type Links struct{ LinksOptions }

// LinksOptions configures NewLinks.
type LinksOptions struct {
	DB       *tenancy.DB
	Users    *Users
	Logins   *Logins
	Throttle *guessing.Throttle
	Now      func() time.Time
}

// NewLinks makes a Links.
func NewLinks(o LinksOptions) *Links { return &Links{o} }

// errLink is the one answer to a token that opens nothing, for whatever reason.
func errLink() error { return problem.InvalidToken(problem.KindInvalid) }

// opened is a link that can be used, and whose it is. It is not spent yet.
type opened struct {
	link
	hash []byte
	user User
}

// open looks at a link without spending it. Errors: 400 invalid_token.
func (l *Links) open(ctx context.Context, t tenancy.Tenant, p purpose, token string) (opened, error) {
	o := opened{hash: hashSecret(token)}
	found := false
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readLink(b, &o, &found) }); err != nil {
		return opened{}, err
	}
	if !found {
		return opened{}, errLink()
	}
	if o.Purpose != p || o.Spent || !l.Now().Before(o.Expires) || !o.live() {
		return opened{}, l.refuse(ctx, t, o, p)
	}
	return o, nil
}

// live reports whether the account is still what the link was made in view of.
func (o opened) live() bool {
	return o.user.Active && o.user.AuthProvider == ProviderLocal && o.user.Email == o.Address
}

// spend spends a link and does, in the same transaction, what it is good for: an outage leaves it as it was. The user is
// locked first, as by everybody who kills links, so that the two cannot wait for each other; what is found then stays so.
func (l *Links) spend(ctx context.Context, t tenancy.Tenant, o opened, do func(context.Context, tenancy.Tx, User) error) error {
	spent := false
	err := l.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) (err error) {
		if o.user, err = LockUser(ctx, tx, o.user.ID); problem.Is(err, "not_found") || err == nil && !o.live() {
			return nil
		}
		if err != nil {
			return err
		}
		if spent, err = spendLink(ctx, tx, o, l.Now()); err != nil || !spent {
			return err
		}
		return do(ctx, tx, o.user)
	})
	if err == nil && !spent {
		err = l.refuse(ctx, t, o, o.Purpose)
	}
	return err
}

// refuse tells the log, once for each link, that somebody tried it in vain. Tokens that nobody was ever sent are not worth
// an entry: whoever makes them up could fill the log with them.
func (l *Links) refuse(ctx context.Context, t tenancy.Tenant, o opened, as purpose) error {
	err := l.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		first, err := refuseLink(ctx, tx, o.hash, l.Now())
		if err != nil || !first {
			return err
		}
		e := audit.Event{Action: "link.refused", Actor: audit.Actor{Type: audit.ByAnonymous}, At: l.Now()}
		return audit.Record(ctx, tx, e.User(o.User).With("purpose", string(o.Purpose)).With("used_as", string(as)))
	})
	if err != nil {
		return err
	}
	return errLink()
}

// record adds to the log what a user did whose mailbox, and nothing else, says that it was them.
func (l *Links) record(ctx context.Context, tx tenancy.Tx, action audit.Action, u id.User) error {
	e := audit.Event{Action: action, Actor: audit.Actor{Type: audit.ByUser, ID: u.String()}, At: l.Now()}
	return audit.Record(ctx, tx, e.User(u))
}
