package main

import (
	"bytes"
	"context"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/mailsink"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
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

// postMail is a cause of mails, all in one transaction.
func (tt testTenant) postMail(t *testing.T, all ...mail.Mail) {
	t.Helper()
	err := tt.db.InTx(t.Context(), tt.tenant(t), func(ctx context.Context, tx tenancy.Tx) error {
		for _, m := range all {
			if m.At.IsZero() {
				m.At = time.Now()
			}
			if err := mail.Post(ctx, tx, m); err != nil {
				return err
			}
		}
		return nil
	})
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

func (tt testTenant) nothingWaits(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, "no mail waits", func() bool { return tt.waiting(t) == 0 })
}

// withoutMail is a platform that sends nothing: what is posted stays, for a sender of the test's own.
func withoutMail(t *testing.T) *testPlatform {
	t.Helper()
	return startOn(t, tenancytest.Install(t), func(c *config) { c.Mail = mailConfig{} })
}

func TestWhatIsPostedIsSentOnceAndGone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	who, err := id.ParseUser(user)
	if err != nil {
		t.Fatal(err)
	}
	m := mail.Mail{ID: uuid.Must(uuid.NewV7()), Kind: letter.PasswordChanged, User: who, Address: email}
	tt.postMail(t, m)
	got := tt.mailTo(t, email, 1)
	if got.Subject != "Your password at Test was changed" || !strings.HasPrefix(got.Text, "Hello Somebody,\n") || !strings.Contains(got.HTML, "<p>Hello Somebody,</p>") {
		t.Errorf("got %+v", got)
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(got.Raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"From": `"Test" <no-reply@id.example>`, "To": "<" + email + ">", "Reply-To": "",
		"Message-Id": "<" + m.ID.String() + "@id.example>", "Auto-Submitted": "auto-generated"} {
		if got := parsed.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	tt.nothingWaits(t)
	if n := len(tt.mails.Mails(email)); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// A cause that does not happen is not told of.
func TestAMailIsPostedWithItsCauseOrNotAtAll(t *testing.T) {
	t.Parallel()
	tt := withoutMail(t).newTenant(t)
	err := tt.db.InTx(t.Context(), tt.tenant(t), func(ctx context.Context, tx tenancy.Tx) error {
		if err := mail.Post(ctx, tx, mail.Mail{Kind: letter.PasswordChanged, Address: "ada@people.example", At: time.Now()}); err != nil {
			return err
		}
		return context.Canceled
	})
	if err == nil || tt.waiting(t) != 0 || len(jobsOf(t, tt)) != 0 {
		t.Errorf("%v, %d mails, jobs %q", err, tt.waiting(t), jobsOf(t, tt))
	}
}

func TestMailsReadAsTheTenantAndTheUserWant(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	who, err := id.ParseUser(user)
	if err != nil {
		t.Fatal(err)
	}
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	tt.do(t, request{method: "PUT", host: tt.host, path: "/v1/users/me/preferences", bearer: token,
		body: map[string]any{"locale": "de-AT", "timezone": nil, "date_format": nil, "time_format": nil}}).want(t, 200, "")
	set := func(m map[string]any) answer {
		return tt.settings(t, func(s map[string]any) { s["mail"] = m })
	}
	set(map[string]any{"from_name": "Acme Sign-in", "reply_to": "help@acme.example", "templates": map[string]any{
		"factor_added": map[string]any{"de": map[string]any{"subject": "Neu: {{.device_name}}", "text": "Für {{.name}}", "html": "<p>{{.device_name}}</p>"}},
	}}).want(t, 200, "")
	// What came later than a client is left as it is by it.
	tt.settings(t, func(s map[string]any) { delete(s, "mail") }).want(t, 200, "")

	tt.postMail(t, mail.Mail{Kind: letter.PasswordChanged, User: who, Address: email, At: time.Now().Add(-time.Second)})
	if got := tt.mailTo(t, email, 1); !strings.HasPrefix(got.Text, "Guten Tag Somebody,") || !bytes.Contains(got.Raw, []byte(`From: "Acme Sign-in" <no-reply@id.example>`)) ||
		!bytes.Contains(got.Raw, []byte("Reply-To: <help@acme.example>")) {
		t.Errorf("got %s", got.Raw)
	}
	tt.postMail(t, mail.Mail{Kind: letter.FactorAdded, User: who, Address: email, Data: map[string]string{"device_name": "<b>Ada's</b>\r\nBcc: eve@evil.example"}})
	if got := tt.mailTo(t, email, 2); got.Subject != "Neu: <b>Ada's</b> Bcc: eve@evil.example" || got.Text != "Für Somebody" || strings.Contains(got.HTML, "<b>") {
		t.Errorf("got %+v", got)
	}
	for path, m := range map[string]map[string]any{
		"mail.from_name":                      {"from_name": "Acme\r\nBcc: eve@evil.example"},
		"mail.reply_to":                       {"reply_to": "help@acme.example, eve@evil.example"},
		"mail.templates.factor_added.en.text": {"templates": map[string]any{"factor_added": map[string]any{"en": map[string]any{"subject": "x", "text": "{{.password}}"}}}},
		"mail.templates.newsletter":           {"templates": map[string]any{"newsletter": map[string]any{"en": map[string]any{"subject": "x", "text": "x"}}}},
		"mail.sender":                         {"sender": "eve@evil.example"},
	} {
		a := set(m).want(t, 400, "invalid_request")
		if fields, _ := a.field("details.fields").(map[string]any); fields[path] == nil {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// linkComposer makes a link, counting how often, or drops the mail.
type linkComposer struct {
	made int
	drop bool
}

func (c *linkComposer) Compose(context.Context, tenancy.Tx, mail.Mail) (mail.Words, error) {
	if c.drop {
		return mail.Words{}, mail.ErrDropped
	}
	c.made++
	return mail.Words{Link: "https://acme.example/reset?token=" + strings.Repeat("x", c.made), ValidFor: 30 * time.Minute}, nil
}

// A link is made when its mail is: the row holds none, a second attempt has one of its own, and what is dropped is gone.
func TestLinksAreMadeWhenTheMailIs(t *testing.T) {
	t.Parallel()
	tt := withoutMail(t).newTenant(t)
	sink := &mailsink.Sink{}
	fail := true
	sink.Taking = func(string) error {
		if fail {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}
	server := sinkMail(t, sink)
	transport, err := mail.NewSMTP(server.Server, server.From)
	if err != nil {
		t.Fatal(err)
	}
	composer := &linkComposer{}
	sender := mail.NewSender(mail.SenderOptions{DB: tt.db, Directory: tt.directory, Settings: tt.platform.settings, Transport: transport, Now: time.Now, Log: tt.log,
		Composers: mail.Composers{ByKind: map[mail.Kind]mail.Composer{letter.ResetPassword: composer}}})
	send := func(m mail.Mail) error { return sender.Send(t.Context(), tt.tenant(t).ID, m.ID) }

	m := mail.Mail{ID: uuid.Must(uuid.NewV7()), Kind: letter.ResetPassword, Address: "ada@people.example"}
	tt.postMail(t, m)
	if err := send(m); err == nil || tt.waiting(t) != 1 {
		t.Fatalf("the server failed: %v, %d wait", err, tt.waiting(t))
	}
	fail = false
	if err := send(m); err != nil || tt.waiting(t) != 0 {
		t.Fatalf("%v, %d wait", err, tt.waiting(t))
	}
	if got := sink.Mails(""); len(got) != 1 || !strings.Contains(got[0].Text, "token=xx\n") || !strings.Contains(got[0].Text, "30 minutes") {
		t.Errorf("got %+v", got)
	}
	if err := send(m); err != nil || len(sink.Mails("")) != 1 {
		t.Errorf("sent again what is gone: %v", err)
	}

	composer.drop, m.ID = true, uuid.Must(uuid.NewV7())
	tt.postMail(t, m)
	if err := send(m); err != nil || tt.waiting(t) != 0 || len(sink.Mails("")) != 1 {
		t.Errorf("dropped: %v, %d wait, %d sent", err, tt.waiting(t), len(sink.Mails("")))
	}

	// Nobody makes links of this kind here: it is kept, not sent without one.
	m.Kind, m.ID = letter.Invitation, uuid.Must(uuid.NewV7())
	tt.postMail(t, m)
	if err := send(m); err == nil || tt.waiting(t) != 1 {
		t.Errorf("a kind that nobody composes: %v, %d wait", err, tt.waiting(t))
	}

	// Older than anybody would want to read.
	composer.drop = false
	old := mail.Mail{ID: uuid.Must(uuid.NewV7()), Kind: letter.ResetPassword, Address: "ada@people.example", At: time.Now().Add(-80 * time.Hour)}
	tt.postMail(t, old)
	if err := send(old); err != nil || tt.waiting(t) != 1 || len(sink.Mails("")) != 1 {
		t.Errorf("an old mail: %v, %d wait, %d sent", err, tt.waiting(t), len(sink.Mails("")))
	}
	undeliverable(t, tt, "expired", "reset_password")
}

// undeliverable finds the audit log's entry of a mail that was given up.
func undeliverable(t *testing.T, tt testTenant, reason, kind string) {
	t.Helper()
	a := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log?action=mail.undeliverable", key: tt.key}).want(t, 200, "")
	entries, _ := a.field("data").([]any)
	found := 0
	for _, e := range entries {
		m, _ := e.(map[string]any)["metadata"].(map[string]any)
		if m["reason"] == reason && m["kind"] == kind && e.(map[string]any)["actor_type"] == "system" {
			found++
		}
	}
	if found != 1 || strings.Contains(string(a.body), "people.example") {
		t.Errorf("%d entries for %s of %s: %s", found, reason, kind, a.body)
	}
}
