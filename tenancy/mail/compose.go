package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Composer says, when a mail is about to be written, what only then can be said: whom it greets and in which language, and
// the link it carries. Whoever knows the accounts satisfies it.
//
// Compose runs in a transaction of the tenant that holds the mail's row, and commits if it returns nil: this is where a
// link's token is made and its hash stored. It may be called again for the same mail, which then carries the newer link.
// ErrDropped means that nobody is to get this mail: the account is gone, or what the mail was for has been done.
type Composer interface {
	Compose(ctx context.Context, tx tenancy.Tx, m Mail) (Words, error)
}

// Words is what a Composer adds to a mail.
type Words struct {
	Name     string // of whom it is for; may be empty
	Locale   string // theirs; empty: the tenant's
	Link     string // for the kinds that carry one
	ValidFor time.Duration
}

// ErrDropped means that a mail is not to be sent.
var ErrDropped = errors.New("mail: not to be sent")

// Composers finds the composer of a mail.
type Composers struct {
	ByKind map[Kind]Composer
	Others Composer // of the kinds that only tell of something
}

func (c Composers) of(k Kind) (Composer, error) {
	if composer := c.ByKind[k]; composer != nil {
		return composer, nil
	}
	if c.Others == nil || k.CarriesLink() || !k.Known() {
		return nil, fmt.Errorf("mail: nobody composes mails of the kind %q", k)
	}
	return c.Others, nil
}

// fields are what the letter of the mail knows.
func (m Mail) fields(t tenancy.Tenant, w Words, locale string) letter.Fields {
	f := letter.Fields{}
	for name, value := range m.Data {
		f[name] = value
	}
	f["tenant"], f["name"], f["address"], f["link"] = t.Name, w.Name, m.Address, w.Link
	f["time"] = m.At.UTC().Format("2006-01-02 15:04 UTC")
	f["valid_for"] = letter.Duration(locale, w.ValidFor)
	return f
}
