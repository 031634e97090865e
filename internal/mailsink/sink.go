// Package mailsink is a mail server that keeps what it gets: for development, where nobody's mail program should be
// bothered, and for tests, which read what was sent and may have the server refuse.
//
// It speaks SMTP on loopback and nothing leaves it. What is kept is bounded; the oldest mail goes first.
package mailsink

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Mail is what a person would see of a mail.
type Mail struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`

	Raw []byte    `json:"-"` // with all headers, as it came
	At  time.Time `json:"-"`
}

const (
	maxKept = 1000
	maxMail = 1 << 20
)

// Sink is the server. The zero Sink is ready to use.
type Sink struct {
	// Refuse, if not nil, may refuse a recipient: its error, best an *smtp.SMTPError, is the server's answer.
	Refuse func(to string) error
	// Taking, if not nil, is asked when a mail has arrived and before it is kept; it may refuse, and may take its time.
	Taking func(to string) error

	mu   sync.Mutex
	kept []Mail
}

// Serve takes mails from the listener until ctx ends.
func (s *Sink) Serve(ctx context.Context, l net.Listener) error {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: s}, nil }))
	server.Domain, server.MaxRecipients, server.MaxMessageBytes = "localhost", 1, maxMail
	server.ReadTimeout, server.WriteTimeout = 30*time.Second, 30*time.Second
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); err != nil && !errors.Is(err, smtp.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return nil
}

// Mails are those to an address, or all where it is empty, oldest first.
func (s *Sink) Mails(to string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Mail{}
	for _, m := range s.kept {
		if to == "" || strings.EqualFold(m.To, to) {
			found = append(found, m)
		}
	}
	return found
}

func (s *Sink) keep(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept = append(s.kept, m); len(s.kept) > maxKept {
		s.kept = slices.Clone(s.kept[len(s.kept)-maxKept:])
	}
}

// session is one connection.
type session struct {
	sink *Sink
	to   string
}

func (s *session) Reset()                               { s.to = "" }
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.sink.Refuse != nil {
		if err := s.sink.Refuse(to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.sink.Taking != nil {
		if err := s.sink.Taking(s.to); err != nil {
			return err
		}
	}
	m, err := read(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "not a mail: " + err.Error()}
	}
	m.To, m.Raw, m.At = s.to, raw, time.Now()
	s.sink.keep(m)
	return nil
}
