package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// post is a mail server of one test.
type post struct {
	listener net.Listener
	roots    *x509.CertPool
	refuse   map[string]*smtp.SMTPError // by command: MAIL, RCPT, DATA
	password string                     // empty: no login is asked for

	mu    sync.Mutex
	mails [][]byte
	rcpts []string
}

type posting struct {
	*post
	in bool
}

func (p *posting) no(command string) error {
	if e := p.refuse[command]; e != nil {
		return e
	}
	return nil
}
func (p *posting) Reset()        {}
func (p *posting) Logout() error { return nil }
func (p *posting) Mail(string, *smtp.MailOptions) error {
	if p.password != "" && !p.in {
		return smtp.ErrAuthRequired
	}
	return p.no("MAIL")
}
func (p *posting) Rcpt(to string, _ *smtp.RcptOptions) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rcpts = append(p.rcpts, to)
	return p.no("RCPT")
}
func (p *posting) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := p.no("DATA"); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, raw)
	return nil
}
func (p *posting) AuthMechanisms() []string { return []string{sasl.Plain} }
func (p *posting) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if p.in = user == "mailer" && password == p.password; !p.in {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// startPost starts it; with security ImplicitTLS from the first byte, with StartTLS on demand, with Plain never.
func startPost(t *testing.T, security Security, p *post) *post {
	t.Helper()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &posting{post: p}, nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := p.certify(t)
	switch security {
	case ImplicitTLS:
		l = tls.NewListener(l, config)
	case StartTLS:
		server.TLSConfig = config
	}
	p.listener = l
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return p
}

func (p *post) certify(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AddCert(cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func (p *post) transport(t *testing.T, security Security, change func(*Server)) *SMTP {
	t.Helper()
	s := Server{Host: "127.0.0.1", Port: p.listener.Addr().(*net.TCPAddr).Port, Security: security, CAs: p.roots, Name: "id.example"}
	if change != nil {
		change(&s)
	}
	made, err := NewSMTP(s, "no-reply@id.example")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func anEnvelope() Envelope {
	return Envelope{ID: uuid.Must(uuid.NewV7()), FromName: "Acme", To: "ada@people.example", Date: time.Now(),
		Letter: letter.Letter{Subject: "Grüße", Text: "Guten Tag\n", HTML: "<p>Guten Tag</p>"}}
}

// The ways to a server that keep a letter with a link from being read on the way, each with a login.
func TestLettersGoThroughTLSWithALogin(t *testing.T) {
	t.Parallel()
	for name, security := range map[string]Security{"STARTTLS": StartTLS, "TLS": ImplicitTLS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPost(t, security, &post{password: "right"})
			login := func(password string) func(*Server) {
				return func(s *Server) { s.Username, s.Password = "mailer", password }
			}
			if err := p.transport(t, security, login("right")).Deliver(t.Context(), anEnvelope()); err != nil || len(p.mails) != 1 {
				t.Fatalf("%v, %d mails", err, len(p.mails))
			}
			var refusal *Refusal
			if err := p.transport(t, security, login("wrong")).Deliver(t.Context(), anEnvelope()); err == nil || errors.As(err, &refusal) || strings.Contains(err.Error(), "wrong") {
				t.Errorf("with a wrong password: %v, want an error that may be tried again and does not tell it", err)
			}
			if err := p.transport(t, security, nil).Deliver(t.Context(), anEnvelope()); err == nil || errors.As(err, &refusal) {
				t.Errorf("without a login: %v, want an error that may be tried again", err)
			}
			strangers := func(s *Server) { login("right")(s); s.CAs = x509.NewCertPool() }
			if err := p.transport(t, security, strangers).Deliver(t.Context(), anEnvelope()); err == nil || errors.As(err, &refusal) {
				t.Errorf("to a server nobody vouches for: %v", err)
			}
			if len(p.mails) != 1 {
				t.Errorf("%d mails were taken", len(p.mails))
			}
		})
	}
}

// A server, or somebody in between, that leaves STARTTLS out gets nothing.
func TestStartTLSIsRequiredAndNotTried(t *testing.T) {
	t.Parallel()
	p := startPost(t, Plain, &post{})
	var refusal *Refusal
	if err := p.transport(t, StartTLS, nil).Deliver(t.Context(), anEnvelope()); err == nil || errors.As(err, &refusal) {
		t.Errorf("%v, want an error that may be tried again", err)
	}
	if len(p.rcpts) != 0 {
		t.Errorf("the server heard of %q", p.rcpts)
	}
}

func TestAnswersOfServersAreToldApart(t *testing.T) {
	t.Parallel()
	answer := func(code, a, b, c int) *smtp.SMTPError {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{a, b, c}, Message: "about ada@people.example"}
	}
	for name, c := range map[string]struct {
		command string
		answer  *smtp.SMTPError
		final   bool
	}{
		"no such person":          {"RCPT", answer(550, 5, 1, 1), true},
		"mailbox full":            {"RCPT", answer(452, 4, 2, 2), false},
		"try later":               {"RCPT", answer(451, 4, 7, 1), false},
		"relaying denied":         {"RCPT", answer(554, 5, 7, 1), false},
		"the sender is not ours":  {"MAIL", answer(553, 5, 1, 8), false},
		"too much for this hour":  {"MAIL", answer(450, 4, 7, 0), false},
		"the letter is not liked": {"DATA", answer(554, 5, 6, 0), true},
		"the disk is full":        {"DATA", answer(452, 4, 3, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPost(t, Plain, &post{refuse: map[string]*smtp.SMTPError{c.command: c.answer}})
			err := p.transport(t, Plain, nil).Deliver(t.Context(), anEnvelope())
			var refusal *Refusal
			if err == nil || errors.As(err, &refusal) != c.final {
				t.Errorf("%v, final is to be %v", err, c.final)
			}
			if err != nil && strings.Contains(err.Error(), "ada") {
				t.Errorf("the error names the address: %v", err)
			}
		})
	}
}

// What a name or a subject holds stays in its header, and there is one recipient.
func TestNoFieldBreaksOutOfItsHeader(t *testing.T) {
	t.Parallel()
	p := startPost(t, Plain, &post{})
	e := anEnvelope()
	const more = "x\r\nBcc: eve@evil.example\r\nX-Evil: 1\r\n\r\nbody"
	e.FromName, e.Subject, e.ReplyTo = more, more, "a@b.example\r\nBcc: eve@evil.example"
	if err := p.transport(t, Plain, nil).Deliver(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(p.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("X-Evil") != "" || m.Header.Get("Reply-To") != "" || len(p.rcpts) != 1 || p.rcpts[0] != e.To {
		t.Errorf("recipients %q, headers %v", p.rcpts, m.Header)
	}
	for name, want := range map[string]string{"Message-Id": "<" + e.ID.String() + "@id.example>", "Auto-Submitted": "auto-generated", "To": "<" + e.To + ">"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := m.Header.Date(); err != nil {
		t.Errorf("Date: %v", err)
	}
	var refusal *Refusal
	for _, to := range []string{"ada@people.example\r\nRCPT TO:<eve@evil.example>", "ada@people.example, eve@evil.example", "Ada <ada@people.example>", "", "ada", "ada@people.example "} {
		e.To = to
		if err := p.transport(t, Plain, nil).Deliver(t.Context(), e); !errors.As(err, &refusal) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	if len(p.rcpts) != 1 {
		t.Errorf("recipients %q", p.rcpts)
	}
}

// What the server says after it took a letter would only have it sent twice.
func TestALetterThatWasTakenIsSent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go takeAndHangUp(l)
	p := &post{listener: l}
	if err := p.transport(t, Plain, nil).Deliver(t.Context(), anEnvelope()); err != nil {
		t.Errorf("the server took it, and: %v", err)
	}
}

// takeAndHangUp is a server that answers the end of the data and is gone.
func takeAndHangUp(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	say := func(s string) { _, _ = io.WriteString(conn, s+"\r\n") }
	say("220 here")
	for inData := false; lines.Scan(); {
		switch line := lines.Text(); {
		case inData && line == ".":
			say("250 taken")
			return
		case inData:
		case line == "DATA":
			inData = true
			say("354 go on")
		default:
			say("250 ok")
		}
	}
}

// A server that stops answering must not hold up the end of the service.
func TestASilentServerIsNotWaitedForAtTheEnd(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "220 here\r\n")
		_, _ = bufio.NewReader(conn).ReadString('\n') // EHLO: both are in the middle of it
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	}()
	p := &post{listener: l}
	delivered := make(chan error, 1)
	go func() { delivered <- p.transport(t, Plain, nil).Deliver(ctx, anEnvelope()) }()
	select {
	case err := <-delivered:
		if err == nil {
			t.Error("delivered to nobody")
		}
	case <-time.After(answerBound - 5*time.Second):
		t.Error("it is waited for")
	}
}
