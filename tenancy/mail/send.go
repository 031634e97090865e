package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// keepTrying is how long a mail may wait for its server. What it tells of is old by then, and it is given up.
const keepTrying = 3 * 24 * time.Hour

// ErrWait means that a mail cannot go now, by no fault of a server.
var ErrWait = errors.New("mail: the tenant is suspended")

// errTooEarly means that the tenant is still being made.
var errTooEarly = errors.New("mail: the tenant is not there yet")

// Transport hands a letter to a mail server.
type Transport interface {
	// Deliver returns once the server has taken the letter. Errors: *Refusal where the server will never take it;
	// everything else may be tried again. No error's text holds an address or a part of the letter.
	Deliver(ctx context.Context, e Envelope) error
}

// Envelope is a letter with what is around it.
type Envelope struct {
	ID       uuid.UUID // of the mail: the same at each attempt
	FromName string
	ReplyTo  string // empty: none
	To       string
	Date     time.Time
	letter.Letter
}

// Refusal is a server's final no to an address or to a letter.
type Refusal struct{ Code string }

// Error names the code and nothing else.
func (r *Refusal) Error() string { return "mail: the mail server refuses for good: " + r.Code }

// Sender turns rows of mails into mails.
type Sender struct{ SenderOptions }

// SenderOptions configures NewSender.
type SenderOptions struct {
	DB        *tenancy.DB
	Directory *tenancy.Directory
	Settings  *settings.Store
	Composers Composers
	Transport Transport // nil: there is none so far, see Expire
	Now       func() time.Time
	Log       *slog.Logger
}

// NewSender makes a Sender.
func NewSender(o SenderOptions) *Sender { return &Sender{o} }

// Send sends a mail, unless it is gone or nobody is to get it. nil means that there is nothing more to do for it. Errors:
// ErrWait; everything else is to be tried again.
func (s *Sender) Send(ctx context.Context, of id.Tenant, m uuid.UUID) error {
	t, err := s.Directory.ByID(ctx, of)
	switch {
	case errors.Is(err, tenancy.ErrUnknown):
		// A tenant's first mail is posted with its schema, and the tenant is known to anybody a moment after; longer where
		// the process that makes it was killed. Later it can only be gone, and its mails with it.
		if s.age(m) < tenancy.Abandoned+time.Hour {
			return errTooEarly
		}
		return nil
	case err != nil:
		return err
	case t.State == tenancy.Suspended:
		return ErrWait
	}
	set, err := s.Settings.Of(ctx, t)
	if err != nil {
		return err
	}
	found, words, err := s.compose(ctx, t, m)
	if err != nil || found == nil {
		return err
	}
	t.Name, t.Locale = set.DisplayName(t), set.Language(t)
	return s.deliver(ctx, t, *found, s.envelope(ctx, t, *found, words, set.Mail))
}

// expire gives a mail up. No link is made for it.
func (s *Sender) expire(ctx context.Context, of id.Tenant, m uuid.UUID) error {
	t, err := s.Directory.ByID(ctx, of)
	if errors.Is(err, tenancy.ErrUnknown) {
		return nil // gone, and its mails with it
	}
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		mail, err := lockMail(ctx, tx, m)
		if err != nil || mail == nil {
			return err
		}
		return s.drop(ctx, tx, *mail, "expired")
	})
}

// age is how long ago a mail was posted, which its id tells.
func (s *Sender) age(m uuid.UUID) time.Duration {
	sec, nsec := m.Time().UnixTime()
	return s.Now().Sub(time.Unix(sec, nsec))
}

// compose is nil where the mail is not to be sent: it was dropped, or is no longer there.
func (s *Sender) compose(ctx context.Context, t tenancy.Tenant, m uuid.UUID) (found *Mail, w Words, err error) {
	err = s.DB.InTx(ctx, t, func(ctx context.Context, tx tenancy.Tx) error {
		mail, err := lockMail(ctx, tx, m)
		if err != nil || mail == nil {
			return err
		}
		if s.Now().Sub(mail.At) > keepTrying {
			return s.drop(ctx, tx, *mail, "expired")
		}
		composer, err := s.Composers.of(mail.Kind)
		if err != nil {
			return err
		}
		w, err = composer.Compose(ctx, tx, *mail)
		if errors.Is(err, ErrDropped) {
			_, err = deleteMail(ctx, tx, m)
			return err
		}
		found = mail
		return err
	})
	if err != nil {
		return nil, Words{}, err
	}
	return found, w, nil
}

func (s *Sender) envelope(ctx context.Context, t tenancy.Tenant, m Mail, w Words, set settings.Mail) Envelope {
	locale := t.Locale
	if w.Locale != "" {
		locale = w.Locale
	}
	l, err := letter.Write(m.Kind, locale, set.Templates, m.fields(t, w, locale))
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "mail: a tenant's template cannot be used, ours is", slog.String("tenant_id", t.ID.String()),
			slog.String("kind", string(m.Kind)))
	}
	e := Envelope{ID: m.ID, FromName: t.Name, To: m.Address, Date: s.Now(), Letter: l}
	if set.FromName != nil {
		e.FromName = *set.FromName
	}
	if set.ReplyTo != nil {
		e.ReplyTo = *set.ReplyTo
	}
	return e
}

// deliver has no transaction open: a mail server may take its time.
func (s *Sender) deliver(ctx context.Context, t tenancy.Tenant, m Mail, e Envelope) error {
	err := s.Transport.Deliver(ctx, e)
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	// The mail is out or never will be. A row that stays would have it sent again, so a database that is away for a moment
	// is waited for.
	for attempt, wait := 1, 100*time.Millisecond; ; attempt, wait = attempt+1, 2*wait {
		if now, err := s.Directory.ByID(ctx, t.ID); err == nil { // it may be moved to another database meanwhile
			t.Database = now.Database
		}
		err := s.DB.InTx(context.WithoutCancel(ctx), t, func(ctx context.Context, tx tenancy.Tx) error {
			if refusal != nil {
				return s.drop(ctx, tx, m, refusal.Code)
			}
			_, err := deleteMail(ctx, tx, m.ID)
			return err
		})
		if err == nil || attempt > 5 || !pause(ctx, wait) {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// drop gives a mail up, and says so to the tenant.
func (s *Sender) drop(ctx context.Context, tx tenancy.Tx, m Mail, why string) error {
	was, err := deleteMail(ctx, tx, m.ID)
	if err != nil || !was {
		return err
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, "mail: undeliverable", slog.String("tenant_id", tx.Tenant().ID.String()),
		slog.String("mail_id", m.ID.String()), slog.String("kind", string(m.Kind)), slog.String("reason", why))
	e := audit.Event{Action: "mail.undeliverable", Actor: audit.Actor{Type: audit.BySystem}, At: s.Now(),
		Metadata: map[string]any{"kind": string(m.Kind), "reason": why}}
	if !m.User.IsZero() {
		e = e.User(m.User)
	}
	return audit.Record(ctx, tx, e)
}
