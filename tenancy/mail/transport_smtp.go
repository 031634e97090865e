package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// SMTP is a Transport to one server. A connection is made for each letter: servers close idle ones, and a letter that was
// half sent on a connection that died is one that nobody knows about.
type SMTP struct {
	server Server
	from   string
}

// Server is where letters are handed in.
type Server struct {
	Host     string
	Port     int
	Security Security
	Username string // empty: no login
	Password string
	CAs      *x509.CertPool // nil: the system's
	Name     string         // what we call ourselves; empty: the machine's name
}

// Security is how the way to the server is kept from others.
type Security int

// StartTLS is required and not merely tried: a server that does not offer it gets nothing.
const (
	StartTLS Security = iota
	ImplicitTLS
	Plain // on this machine only
)

// answerBound is for the connection and for each answer, letterBound for all of it.
const (
	answerBound = 15 * time.Second
	letterBound = 45 * time.Second
)

// NewSMTP makes a transport; from is the address that every letter comes from. Errors: a sentence about from.
func NewSMTP(s Server, from string) (*SMTP, error) {
	if err := letter.CheckAddress(from); err != nil {
		return nil, err
	}
	return &SMTP{s, from}, nil
}

// Deliver hands the letter in.
func (t *SMTP) Deliver(ctx context.Context, e Envelope) error {
	m, err := t.message(e)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, letterBound)
	defer done()
	client, err := gomail.NewClient(t.server.Host, append(t.options(), gomail.WithDialContextFunc(t.dial(ctx)))...)
	if err != nil {
		return errors.New("mail: the settings of the mail server cannot be used")
	}
	err = client.DialAndSendWithContext(ctx, m)
	if m.IsDelivered() { // what the server says after it took the letter changes nothing
		return nil
	}
	return told(err)
}

func (t *SMTP) options() []gomail.Option {
	o := []gomail.Option{
		gomail.WithPort(t.server.Port), gomail.WithTimeout(answerBound), gomail.WithoutNoop(), gomail.WithTLSConfig(t.tls()),
	}
	switch t.server.Security {
	case ImplicitTLS:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSOpportunistic)) // dial has encrypted it already
	case Plain:
		o = append(o, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if t.server.Name != "" {
		o = append(o, gomail.WithHELO(t.server.Name))
	}
	if t.server.Username != "" {
		o = append(o, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(t.server.Username), gomail.WithPassword(t.server.Password))
	}
	return o
}

func (t *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: t.server.Host, MinVersion: tls.VersionTLS12, RootCAs: t.server.CAs}
}

// dial makes connections that end with ctx, whatever the server is at: the library minds ctx only until they are there.
func (t *SMTP) dial(ctx context.Context) gomail.DialContextFunc {
	return func(dialing context.Context, network, address string) (conn net.Conn, err error) {
		dialer := &net.Dialer{}
		if t.server.Security == ImplicitTLS {
			conn, err = (&tls.Dialer{NetDialer: dialer, Config: t.tls()}).DialContext(dialing, network, address)
		} else {
			conn, err = dialer.DialContext(dialing, network, address)
		}
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

// message has one recipient, the stored address, and headers of one line each.
func (t *SMTP) message(e Envelope) (*gomail.Msg, error) {
	if letter.CheckAddress(e.To) != nil {
		return nil, &Refusal{"address"}
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	_, domain, _ := strings.Cut(t.from, "@")
	m.SetMessageIDWithValue(e.ID.String() + "@" + domain)
	m.SetDateWithValue(e.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.Subject(oneLine(e.Subject))
	m.FromMailAddress(&mail.Address{Name: oneLine(e.FromName), Address: t.from})
	m.ToMailAddress(&mail.Address{Address: e.To})
	if e.ReplyTo != "" && letter.CheckAddress(e.ReplyTo) == nil {
		m.ReplyToMailAddress(&mail.Address{Address: e.ReplyTo})
	}
	m.SetBodyString(gomail.TypeTextPlain, e.Text)
	if e.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, e.HTML)
	}
	return m, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// told is an error without what a server may have put into its answer: addresses, or a part of the letter.
//
// A final no is about the address or the letter, and the next letter may do better; but where the server refuses us, by
// policy or for want of a login, nobody would get a mail ever again, so that is an outage.
func told(err error) error {
	if err == nil {
		return nil
	}
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return fmt.Errorf("mail: no way into the mail server: %w", err) // it has heard nothing of a letter yet
	}
	code := strconv.Itoa(refused.ErrorCode()) // 0 where the connection broke
	aboutLetter := refused.Reason == gomail.ErrSMTPRcptTo || refused.Reason == gomail.ErrSMTPData || refused.Reason == gomail.ErrSMTPDataClose
	ofUs := code == "530" || code == "535" || strings.HasPrefix(refused.EnhancedStatusCode(), "5.7.")
	if aboutLetter && code[0] == '5' && !ofUs {
		return &Refusal{code}
	}
	return fmt.Errorf("mail: the mail server says no: %s (%s)", code, refused.Reason)
}
