package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/mailsink"
)

// shown are the mails to an address at the page of a development platform.
func shown(t *testing.T, f devFile, to string) (all []map[string]string) {
	t.Helper()
	res, err := http.Get(f.MailURL + "?to=" + url.QueryEscape(to))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return all
}

// tellAdmin has a mail written to acme's administrator, as a cause in that tenant does, and returns the address.
func tellAdmin(t *testing.T, state string, f devFile) string {
	t.Helper()
	env, err := os.ReadFile(filepath.Join(state, "env"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), regexp.MustCompile(`GATEHOUSE_PROVISIONER_DATABASE_URL='(.*)'`).FindStringSubmatch(string(env))[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	acme := f.Tenants[0]
	_, err = conn.Exec(t.Context(), `insert into t_`+acme.ID.Hex()+`.mails (id, kind, user_id, address, data, created_at)
		select gen_random_uuid(), 'password_changed', id, email, '{}', now() from t_`+acme.ID.Hex()+`.users where email = $1`, string(acme.Users[0].Email))
	if err != nil {
		t.Fatal(err)
	}
	return string(acme.Users[0].Email)
}

// A development platform shows its mails, or hands them to a server that it is told of.
func TestDevShowsMailsOrHandsThemOn(t *testing.T) {
	t.Parallel()
	state := stateFolder(t)
	p, f := startDev(t, state)
	if all := shown(t, f, "nobody@acme.example"); all == nil || len(all) != 0 {
		t.Errorf("mails to nobody: %v", all)
	}
	to := tellAdmin(t, state, f)
	eventually(t, 30*time.Second, "the mail is shown", func() bool { return len(shown(t, f, to)) == 1 })
	if m := shown(t, f, to)[0]; m["to"] != to || m["subject"] != "Your password at Acme was changed" || m["text"] == "" || m["html"] == "" || len(m) != 4 {
		t.Errorf("shown is %v", m)
	}
	p.stop(syscall.SIGTERM, state)

	sink := &mailsink.Sink{}
	c := sinkMail(t, sink)
	p = launch(t, []string{"GATEHOUSE_MAIL_FROM=" + c.From}, "dev", "--state", state, "--listen", "127.0.0.1:0", "--smtp", fmt.Sprintf("smtp://127.0.0.1:%d", c.Server.Port))
	p.says("Ctrl-C stops it")
	if f = readDevFile(t, state); f.MailURL != "" {
		t.Errorf("mail_url is %q", f.MailURL)
	}
	to = tellAdmin(t, state, f)
	eventually(t, 30*time.Second, "the server has it", func() bool { return len(sink.Mails(to)) == 1 })
	p.stop(syscall.SIGTERM, state)

	refuseDevMail := func(want string, args ...string) {
		launch(t, nil, append([]string{"dev", "--state", state, "--listen", "127.0.0.1:0"}, args...)...).refuses(want)
	}
	refuseDevMail("--smtp: must be a URL such as", "--smtp", "localhost:25")
	refuseDevMail("cross the network in the clear", "--smtp", "smtp://mail.example?tls=none")
}
