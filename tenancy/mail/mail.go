// Package mail writes to people on behalf of a tenant.
//
//	cause --Post--> mails, in the cause's transaction --job--> Sender: Composer --> letter --> SMTP
//	                                                            in a transaction     after it
//
// What is posted says what is to be written and to whom. Texts, links and tokens are made when the mail is sent, so a stolen
// database holds no link that works, and a mail that is tried again carries a link of its own.
//
// A row is there until the mail server has the mail. Whoever is killed in between leaves it to the next, so no mail is lost;
// one that was killed after the server took the mail and before the row was gone has it sent twice, with the same
// Message-ID.
package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Kind is what a mail is about; it names its template.
type Kind = letter.Kind

// Mail is something to be written.
type Mail struct {
	ID      uuid.UUID // made by Post where it is zero
	Kind    Kind
	User    id.User // whom it is about; zero: nobody we know
	Address string  // whom it goes to, an address in its canonical form
	// Data is what the text needs to know beyond the user, by the names of the kind's fields: never a secret.
	Data map[string]string
	At   time.Time
	// Queued is when the database had the row, by its own clock. It is read and not written.
	Queued time.Time
}

// Post has a mail written once the transaction commits, and not at all if it does not.
func Post(ctx context.Context, tx tenancy.Tx, m Mail) error {
	args, err := m.args()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertMail, args...)
	return err
}

// QueueIf is Post for a batch, where a condition holds. It sends the same statement either way, for who must not be told by the time an
// answer takes whether anybody is written to.
func QueueIf(b *tenancy.Batch, m Mail, condition bool) {
	args, err := m.args()
	if err != nil {
		b.Fail(err)
		return
	}
	b.Queue(insertMailIf, append(args, condition)...)
}

func (m Mail) args() ([]any, error) {
	if !m.Kind.Known() {
		return nil, fmt.Errorf("mail: there is no kind %q", m.Kind)
	}
	if m.ID == uuid.Nil {
		m.ID = uuid.Must(uuid.NewV7())
	}
	if m.Data == nil {
		m.Data = map[string]string{}
	}
	data, err := json.Marshal(m.Data)
	var user any
	if !m.User.IsZero() {
		user = m.User
	}
	return []any{[16]byte(m.ID), string(m.Kind), user, m.Address, string(data), m.At}, err
}
