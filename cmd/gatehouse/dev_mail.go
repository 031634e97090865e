package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/mailsink"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
)

// openMail has mails handed to the server that --smtp names, or else kept here and shown at a page of this machine's.
func (d *dev) openMail(ctx context.Context, cfg *config) error {
	cfg.Mail.From = "no-reply@localhost"
	if d.smtp != "" {
		if from := d.getenv("GATEHOUSE_MAIL_FROM"); from != "" {
			var err error
			if cfg.Mail.From, err = parseMailFrom(from); err != nil {
				return fmt.Errorf("GATEHOUSE_MAIL_FROM: %w", err)
			}
		}
		cfg.Mail.Password = secret(d.getenv("GATEHOUSE_SMTP_PASSWORD"))
		if err := parseMailServer(d.smtp, &cfg.Mail.Server); err != nil {
			return fmt.Errorf("--smtp: %w", err)
		}
		return nil
	}
	smtp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	page, err := d.listenMailPage()
	if err != nil {
		return errors.Join(err, smtp.Close())
	}
	cfg.Mail.Server = mail.Server{Host: "127.0.0.1", Port: smtp.Addr().(*net.TCPAddr).Port, Security: mail.Plain}
	d.mailURL = fmt.Sprintf("http://localhost:%d/", page.Addr().(*net.TCPAddr).Port)
	d.runMail(ctx, smtp, page)
	return nil
}

// runMail serves until everything else has stopped: what is sent during the end of a run is still taken.
func (d *dev) runMail(ctx context.Context, smtp, page net.Listener) {
	sink := &mailsink.Sink{}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{Handler: sink.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = sink.Serve(ctx, smtp) }()
	go func() { _ = server.Serve(page) }()
	d.cleanup = append(d.cleanup, func() error { stop(); return server.Close() })
}

// listenMailPage is where it was the last time, if that is free: a tab that is open goes on showing mails.
func (d *dev) listenMailPage() (net.Listener, error) {
	last := d.state.secrets.MailPort
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(last)))
	if err != nil && last != 0 {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	if port := l.Addr().(*net.TCPAddr).Port; port != last {
		d.state.secrets.MailPort = port
		err = d.state.writeJSON("secrets.json", d.state.secrets)
	}
	return l, err
}
