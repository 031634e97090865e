package main

import (
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"strconv"

	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// mailConfig says where mails are handed in, and from which address. Without a server they wait.
type mailConfig struct {
	Server   mail.Server // Host is empty where none is set
	From     string
	Password secret
}

func (m mailConfig) configured() bool { return m.Server.Host != "" }

// parseMailServer reads smtp://user@host:port or smtps://... . The way is encrypted unless the server is on this machine.
func parseMailServer(text string, into *mail.Server) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/":
		return errors.New("must be a URL such as smtp://user@mail.example:587 (STARTTLS) or smtps://user@mail.example:465 (TLS)")
	case len(u.Query()) > 1 || u.RawQuery != "" && u.Query().Get("tls") != "none" && u.Query().Get("tls") != "starttls":
		return errors.New("takes tls=starttls or tls=none and nothing else after the question mark")
	}
	if _, told := u.User.Password(); told {
		return errors.New("must not hold the password, which would be logged with it: GATEHOUSE_SMTP_PASSWORD does")
	}
	into.Host, into.Username = u.Hostname(), u.User.Username()
	into.Security, into.Port = mail.StartTLS, 587
	here := loopbackName(into.Host)
	switch {
	case u.Scheme == "smtps":
		into.Security, into.Port = mail.ImplicitTLS, 465
	case u.Query().Get("tls") == "none" && !here:
		return errors.New("tls=none is for a server on this machine, or mails with links that sign people in cross the network in the clear")
	case here && u.Query().Get("tls") != "starttls":
		into.Security, into.Port = mail.Plain, 25
	}
	if p := u.Port(); p != "" {
		if into.Port, err = strconv.Atoi(p); err != nil || into.Port < 1 || into.Port > 65535 {
			return errors.New("has no port from 1 to 65535")
		}
	}
	return nil
}

func parseMailFrom(text string) (string, error) {
	if err := letter.CheckAddress(text); err != nil {
		return "", errors.New("must be an e-mail address such as no-reply@id.example; what stands before it is each tenant's name")
	}
	return text, nil
}

func readCertificates(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}

func (c *config) checkMail() error {
	m := c.Mail
	switch {
	case m.configured() && m.From == "":
		return errors.New("GATEHOUSE_MAIL_FROM: is required beside GATEHOUSE_SMTP_URL: the address that mails come from")
	case (m.Server.Username == "") != (m.Password == ""):
		return errors.New("GATEHOUSE_SMTP_PASSWORD: is the password of the user in GATEHOUSE_SMTP_URL, and neither is of use without the other")
	}
	return nil
}
