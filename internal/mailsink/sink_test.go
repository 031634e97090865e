package mailsink

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"testing"
)

// serve starts a sink and says where it takes mails.
func serve(t *testing.T, s *Sink) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

const aMail = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGuten=20Tag\r\n" +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+R3V0ZW4gVGFnPC9iPg==\r\n--b--\r\n"

func TestMailsAreKeptAndShown(t *testing.T) {
	t.Parallel()
	s := &Sink{}
	address := serve(t, s)
	for _, to := range []string{"ada@people.example", "bob@people.example", "ada@people.example"} {
		if err := smtp.SendMail(address, nil, "a@b.example", []string{to}, []byte(aMail)); err != nil {
			t.Fatal(err)
		}
	}
	show := func(target, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	var all []map[string]string
	if err := json.Unmarshal(show("http://localhost:1/?to=Ada@people.example", "*/*").Body.Bytes(), &all); err != nil || len(all) != 2 {
		t.Fatalf("%v %v", err, all)
	}
	want := map[string]string{"to": "ada@people.example", "subject": "Grüße", "text": "Guten Tag", "html": "<b>Guten Tag</b>"}
	for name, value := range want {
		if got := all[0][name]; got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if len(all[0]) != len(want) {
		t.Errorf("members %v", all[0])
	}
	if w := show("http://localhost:1/?to=nobody@people.example", ""); w.Body.String() != "[]\n" {
		t.Errorf("nothing is %q", w.Body.String())
	}
	if w := show("http://127.0.0.1:1/", "text/html"); !strings.Contains(w.Body.String(), "bob@people.example") || strings.Contains(w.Body.String(), "<b>Guten Tag") {
		t.Errorf("the page is %s", w.Body.String())
	}
	for _, target := range []string{"http://rebound.example:1/", "http://localhost.evil.example/"} {
		if w := show(target, ""); w.Code != http.StatusForbidden {
			t.Errorf("%s answers %d", target, w.Code)
		}
	}
}

func TestTheOldestMailGoesFirst(t *testing.T) {
	t.Parallel()
	s := &Sink{}
	for i := range maxKept + 5 {
		s.keep(Mail{Subject: strings.Repeat("x", i)})
	}
	if all := s.Mails(""); len(all) != maxKept || len(all[0].Subject) != 5 {
		t.Errorf("%d are kept, the first is number %d", len(all), len(all[0].Subject))
	}
}

func TestWhatIsNoMailIsRefused(t *testing.T) {
	t.Parallel()
	s := &Sink{}
	address := serve(t, s)
	if err := smtp.SendMail(address, nil, "a@b.example", []string{"ada@people.example"}, []byte("no header at all")); err == nil || len(s.Mails("")) != 0 {
		t.Errorf("%v, %d kept", err, len(s.Mails("")))
	}
	if err := smtp.SendMail(address, nil, "a@b.example", []string{"ada@people.example", "bob@people.example"}, []byte(aMail)); err == nil {
		t.Error("two recipients are taken")
	}
}
