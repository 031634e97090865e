package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/mailsink"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// While the mail server is away requests go on and mails wait; when it is back they go, without anybody's doing.
func TestMailsOutlastAnOutageOfTheServer(t *testing.T) {
	t.Parallel()
	address := freeListen(t)
	_, port, _ := net.SplitHostPort(address)
	tp := startOn(t, tenancytest.Install(t), func(c *config) {
		if err := parseMailServer("smtp://127.0.0.1:"+port, &c.Mail.Server); err != nil {
			t.Fatal(err)
		}
	})
	tt := tp.newTenant(t)
	for i := range 5 {
		tt.postMail(t, mail.Mail{Kind: letter.PasswordChanged, Address: fmt.Sprintf("ada%d@people.example", i)})
	}
	eventually(t, 30*time.Second, "it is tried", func() bool { return strings.Contains(tp.logs.String(), "mail: not sent, to be tried again") })
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { _ = tp.mails.Serve(ctx, l) }()
	tt.nothingWaits(t)
	if n := len(tp.mails.Mails("")); n != 5 {
		t.Errorf("%d mails", n)
	}
	if strings.Contains(tp.logs.String(), "people.example") {
		t.Error("the log holds an address")
	}
}

// What a server says about an address decides about that address alone.
func TestAnAddressThatTakesNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	var busy atomic.Int32
	sink := &mailsink.Sink{Refuse: func(to string) error {
		switch {
		case strings.HasPrefix(to, "gone"):
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such person: " + to}
		case strings.HasPrefix(to, "busy") && busy.Add(1) <= 2:
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later: " + to}
		}
		return nil
	}}
	tp := startOn(t, tenancytest.Install(t), func(c *config) { c.Mail = sinkMail(t, sink) })
	tt := tp.newTenant(t)
	for _, to := range []string{"gone@people.example", "busy@people.example", "fine@people.example"} {
		tt.postMail(t, mail.Mail{Kind: letter.PasswordChanged, User: id.NewUser(), Address: to})
	}
	tt.nothingWaits(t)
	for to, want := range map[string]int{"gone@people.example": 0, "busy@people.example": 1, "fine@people.example": 1} {
		if n := len(sink.Mails(to)); n != want {
			t.Errorf("%d mails to %s, want %d", n, to, want)
		}
	}
	if n := busy.Load(); n != 3 {
		t.Errorf("the busy one was tried %d times", n)
	}
	undeliverable(t, tt, "550", "password_changed")
	if all := strings.Join(jobsOf(t, tt), "\n") + tp.logs.String(); strings.Contains(all, "people.example") {
		t.Errorf("jobs or log hold an address: %s", all)
	}
}

func TestTwoReplicasSendEachMailOnce(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	a := startOn(t, in, nil)
	b := startOn(t, in, nil)
	tt := a.newTenant(t)
	const n = 200
	var all []mail.Mail
	for i := range n {
		all = append(all, mail.Mail{Kind: letter.PasswordChanged, Address: fmt.Sprintf("ada%d@people.example", i)})
	}
	tt.postMail(t, all[:n/2]...)
	var wg sync.WaitGroup
	for _, m := range all[n/2:] {
		wg.Go(func() { tt.postMail(t, m) })
	}
	wg.Wait()
	eventually(t, 2*time.Minute, "all are sent", func() bool { return tt.waiting(t) == 0 })
	sent := map[string]int{}
	for _, m := range append(a.mails.Mails(""), b.mails.Mails("")...) {
		sent[m.To]++
	}
	for _, m := range all {
		if sent[m.Address] != 1 {
			t.Errorf("%d mails to %s", sent[m.Address], m.Address)
		}
	}
}

// A replica dies while it hands two mails in: the server has taken one of them and says nothing of the other. Nothing is
// lost, and what is sent twice can be known by its Message-ID.
func TestNoMailIsLostWithTheReplicaThatSendsIt(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	tt := startOn(t, in, func(c *config) { c.Mail = mailConfig{} }).newTenant(t)
	handing, killed := make(chan string, 2), make(chan struct{})
	sink := &mailsink.Sink{Taking: func(to string) error {
		select {
		case <-killed:
			return nil
		default:
		}
		handing <- to
		<-killed
		if strings.HasPrefix(to, "lost") {
			return errors.New("the connection is gone")
		}
		return nil
	}}
	c := sinkMail(t, sink)
	env := environment(serveSettings(in, freeListen(t)), fmt.Sprintf("GATEHOUSE_SMTP_URL=smtp://127.0.0.1:%d", c.Server.Port), "GATEHOUSE_MAIL_FROM="+c.From)

	// Posted while nobody sends: a replica that died right after the commit leaves just this.
	tt.postMail(t, mail.Mail{Kind: letter.PasswordChanged, Address: "lost@people.example"}, mail.Mail{Kind: letter.PasswordChanged, Address: "taken@people.example"})
	first := launch(t, env, "serve")
	for range 2 {
		select {
		case <-handing:
		case <-time.After(time.Minute):
			t.Fatalf("nothing is sent:\n%s", first.stderr.String())
		}
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.wait()
	close(killed)

	launch(t, append(env, "GATEHOUSE_LISTEN="+freeListen(t)), "serve").says(`"msg":"serving"`)
	eventually(t, 4*time.Minute, "both are sent", func() bool { return tt.waiting(t) == 0 })
	if n := len(sink.Mails("lost@people.example")); n != 1 {
		t.Errorf("the one that was not taken came %d times", n)
	}
	twice := sink.Mails("taken@people.example")
	if len(twice) != 2 || messageID(twice[0].Raw) == "" || messageID(twice[0].Raw) != messageID(twice[1].Raw) {
		t.Errorf("the one that was taken came %d times", len(twice))
	}
}

func messageID(raw []byte) string {
	for line := range bytes.Lines(raw) {
		if id, ok := bytes.CutPrefix(line, []byte("Message-ID: ")); ok {
			return string(bytes.TrimSpace(id))
		}
	}
	return ""
}

// Without a mail server the service serves, and says that mails wait.
func TestServeWithoutAMailServerSaysSo(t *testing.T) {
	t.Parallel()
	tp := withoutMail(t)
	if !strings.Contains(tp.logs.String(), "mails wait: no mail server is set") {
		t.Errorf("the log is %s", tp.logs.String())
	}
	if a := tp.do(t, request{method: "GET", path: "/readyz"}).want(t, 200, ""); a.text("mail") != "waiting" {
		t.Errorf("ready: %s", a.body)
	}
	if a := sharedPlatform(t).do(t, request{method: "GET", path: "/readyz"}).want(t, 200, ""); a.text("mail") != "ok" {
		t.Errorf("ready: %s", a.body)
	}
}

// Nobody may ever name a server, and anybody may ask for mails: what is too old goes all the same, and no link was made for it.
func TestMailsWithoutAServerAreGivenUp(t *testing.T) {
	t.Parallel()
	tt := withoutMail(t).newTenant(t)
	p := tt.add(t, nil)
	old := uuid.Must(uuid.NewV7()).String()
	tt.exec(t, `insert into mails (id, kind, user_id, address, data, created_at) values ($1, 'invitation', $2, $3, '{}', now())`, old, p.id, p.email)
	tt.exec(t, `update jobs.river_job set created_at = now() - interval '80 hours' where args->>'mail' = $1`, old)
	if err := tt.mail.ExpireNow(t.Context(), tt.jobs["shared-1"]); err != nil {
		t.Fatal(err)
	}
	if n := tt.count(t, `select count(*) from mails where id = $1`, old); n != 0 {
		t.Error("the old one is still there")
	}
	if n := tt.count(t, `select count(*) from mails`); n != 1 {
		t.Errorf("%d mails wait, want the new one", n)
	}
	if n := tt.count(t, `select count(*) from links`); n != 0 {
		t.Errorf("%d links were made", n)
	}
}
