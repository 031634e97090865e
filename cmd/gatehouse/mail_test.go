package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// tenant is the directory's record of a test's tenant.
func (tt testTenant) tenant(t *testing.T) tenancy.Tenant {
	t.Helper()
	who, err := id.ParseTenant(tt.id)
	if err != nil {
		t.Fatal(err)
	}
	found, err := tt.directory.Read(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// postMail is a cause of a mail.
func (tt testTenant) postMail(t *testing.T, m mail.Mail) {
	t.Helper()
	if m.At.IsZero() {
		m.At = time.Now()
	}
	err := tt.db.InTx(t.Context(), tt.tenant(t), func(ctx context.Context, tx tenancy.Tx) error { return mail.Post(ctx, tx, m) })
	if err != nil {
		t.Fatal(err)
	}
}

// waiting is how many mails of the tenant are still to be sent.
func (tt testTenant) waiting(t *testing.T) (n int) {
	t.Helper()
	err := tt.db.InTx(t.Context(), tt.tenant(t), func(ctx context.Context, tx tenancy.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from mails`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatIsPostedIsSentAndGone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	who, err := id.ParseUser(user)
	if err != nil {
		t.Fatal(err)
	}
	tt.postMail(t, mail.Mail{Kind: letter.PasswordChanged, User: who, Address: email})
	m := tt.mailTo(t, email, 1)
	if !strings.Contains(m.Subject, "Test") || !strings.Contains(m.Text, "Hello Somebody,") || !strings.Contains(m.HTML, "<p>Hello Somebody,</p>") {
		t.Errorf("got %+v", m)
	}
	eventually(t, 10*time.Second, "the row is gone", func() bool { return tt.waiting(t) == 0 })
	if n := len(tt.mails.Mails(email)); n != 1 {
		t.Errorf("sent %d times", n)
	}
}
