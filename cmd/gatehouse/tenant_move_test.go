package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// twoPlaces is two replicas over two databases, and what an operator's command needs.
type twoPlaces struct {
	replicas [2]*testPlatform
	env      []string
}

func newTwoPlaces(t *testing.T) twoPlaces {
	t.Helper()
	in, second := tenancytest.Install(t), tenancytest.Database(t)
	several := func(c *config) { c.MoreDatabases = []database{beside("shared-2", second)} }
	file := filepath.Join(t.TempDir(), "databases.json")
	text, err := json.Marshal(map[string]any{"databases": []map[string]any{{"name": "shared-2", "url": second.RuntimeURL, "provisioner_url": second.ProvisionerURL}}})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := serveSettings(in, "localhost:1")
	s["GATEHOUSE_DATABASES_FILE"], s["GATEHOUSE_DATABASE"] = file, "shared-1"
	first := startOn(t, in, several)
	return twoPlaces{[2]*testPlatform{first, startOn(t, in, func(c *config) { several(c); c.Address, c.Mail = first.config.Address, first.config.Mail })}, environment(s)}
}

// either is a tenant at one of the replicas.
func (p twoPlaces) either(tt testTenant) testTenant {
	tt.testPlatform = p.replicas[rand.IntN(2)]
	return tt
}

// client is one who uses a tenant all the time and believes what it is told.
type client struct {
	*testing.T
	places twoPlaces
	tenant testTenant
	mu     sync.Mutex
	said   map[int]int // answers by status
	users  []string    // of whom it was told that they were made
}

// ask repeats a request until it is answered otherwise than by 503, which has to say when to come again. nil: the test is over.
func (c *client) ask(done <-chan struct{}, rq request) *answer {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		rq.host = c.tenant.host
		a := c.places.either(c.tenant).do(c, rq)
		c.mu.Lock()
		c.said[a.status]++
		c.mu.Unlock()
		if a.status != http.StatusServiceUnavailable {
			return &a
		}
		if a.text("code") != "unavailable" || a.header.Get("Retry-After") == "" {
			c.Errorf("%s %s: %s, Retry-After %q", rq.method, rq.path, a.body, a.header.Get("Retry-After"))
		}
	}
}

// A tenant is moved to another database, back and there again, by an operator's command, while clients at two replicas refresh, sign
// in, make users and read keys. They see 503 for a moment and nothing else; nothing they were told is done is undone, and
// nobody is signed out.
func TestClientsNoticeNothingOfAMoveButAPause(t *testing.T) {
	t.Parallel()
	p := newTwoPlaces(t)
	tt := p.replicas[0].newTenantIn(t, "shared-1")
	email, _ := tt.newUser(t)
	often, _ := tt.newUser(t) // of one user only so many sessions are kept
	person := tt.add(t, jsonBody{"password": goodPassword, "email_verified": true})
	reset := person.resetToken(t)
	long := tt.login(t, email, goodPassword).want(t, 200, "")
	key := tt.at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "").text("keys")
	c := &client{T: t, places: p, tenant: tt, said: map[int]int{}}
	done := make(chan struct{})
	var busy sync.WaitGroup
	refresh := long.text("refresh_token")
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for _, work := range []func(i int) bool{
		func(int) bool {
			a := c.ask(done, request{method: "POST", path: "/v1/auth/refresh", body: jsonBody{"refresh_token": refresh}})
			if a != nil {
				refresh = a.want(t, 200, "").text("refresh_token")
			}
			return a != nil
		},
		func(int) bool {
			a := c.ask(done, request{method: "POST", path: "/v1/auth/login", body: jsonBody{"email": often, "password": goodPassword}})
			return a != nil && a.want(t, 200, "").text("token") != ""
		},
		func(i int) bool {
			if i == 800 { // the mail server keeps the last thousand mails, and each has to be there
				return false
			}
			select {
			case <-done:
				return false
			case <-pace.C:
			}
			address := fmt.Sprintf("made-%d@people.example", i)
			a := c.ask(done, request{method: "POST", path: "/v1/users", key: tt.key, body: jsonBody{"email": address, "name": "Made"}})
			if a != nil {
				c.users = append(c.users, a.want(t, 201, "").text("email"))
			}
			return a != nil
		},
		func(int) bool { // keys are read and remembered, so there is no pause for whoever verifies a token
			select {
			case <-done:
				return false
			default:
			}
			a := p.either(tt).at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "")
			return a.text("keys") == key
		},
	} {
		busy.Go(func() {
			for i := 0; work(i); i++ {
			}
		})
	}
	answered := func() int { c.mu.Lock(); defer c.mu.Unlock(); return c.said[200] + c.said[201] }
	for _, to := range []string{"shared-2", "shared-1", "shared-2"} {
		n := answered()
		eventually(t, time.Minute, "clients go on", func() bool { return answered() > n+10 })
		run := launch(t, p.env, "tenant", "move", tt.slug, "--to", to, "--max-pause", "1m")
		if code := run.wait(); code != 0 {
			t.Fatalf("move: exit code %d: %s", code, run.stderr.String())
		}
		t.Logf("%s%s", run.stderr.String(), run.stdout.String())
		if got := tt.tenant(t).Database; got != to {
			t.Fatalf("it is in %s, want %s", got, to)
		}
	}
	n := answered()
	eventually(t, time.Minute, "clients go on", func() bool { return answered() > n+10 })
	close(done)
	busy.Wait()
	t.Logf("answers: %v", c.said)
	if c.said[503] == 0 {
		t.Error("nobody was answered with 503: was there a pause?")
	}
	for status := range c.said {
		if !slices.Contains([]int{200, 201, 503}, status) {
			t.Errorf("%d answers were %d", c.said[status], status)
		}
	}
	for _, made := range c.users {
		if n := tt.users(t, made); n != 1 {
			t.Errorf("%s was made and is %d times there", made, n)
		}
		tt.mailTo(t, made, 1)
	}

	// Whatever began before goes on: a session, a link, keys, the chain of the log.
	for _, replica := range p.replicas {
		tt.testPlatform = replica
		tt.at(t, "GET", "/v1/users/me/profile", request{bearer: long.text("token")}).want(t, 200, "")
	}
	tt.at(t, "POST", "/v1/auth/reset-password", request{body: jsonBody{"token": reset, "new_password": otherPassword}}).want(t, 200, "")
	report, err := audit.Verify(strings.NewReader(tt.export(t, "")), tt.published(t))
	if err != nil || report.First != 1 {
		t.Errorf("the log: %+v, %v", report, err)
	}
	eventually(t, 30*time.Second, "the log tells of it", func() bool {
		moved := 0
		for _, action := range tt.actions(t, nil) {
			if action == "tenant.moved" {
				moved++
			}
		}
		return moved == 3
	})
}

// users counts the users of a tenant with an address, wherever it lives.
func (tt testTenant) users(t *testing.T, email string) (n int) {
	t.Helper()
	err := tt.db.InTx(t.Context(), tt.tenant(t), func(ctx context.Context, tx tenancy.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from users where email = $1`, email).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A mover is killed again and again, wherever it just is. The replicas put right what it left, and the tenant goes on being used.
func TestAMoverMayBeKilled(t *testing.T) {
	t.Parallel()
	p := newTwoPlaces(t)
	tt := p.replicas[0].newTenantIn(t, "shared-1")
	email, _ := tt.newUser(t)
	behind := tt.superuser(t) // one for all rounds: it is asked very often
	for round := range 8 {
		to := map[string]string{"shared-1": "shared-2", "shared-2": "shared-1"}[tt.tenant(t).Database]
		run := launch(t, p.env, "tenant", "move", tt.slug, "--to", to)
		select {
		case <-run.done:
		case <-time.After(time.Duration(100+rand.IntN(700)) * time.Millisecond): // a moment like any other
			_ = run.cmd.Process.Kill()
			<-run.done
		}
		eventually(t, time.Minute, "the move is ended", func() bool {
			var n int
			if err := behind.QueryRow(t.Context(), `select count(*) from control.tenant_moves`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n == 0
		})
		tt = p.either(tt)
		tt.login(t, email, goodPassword).want(t, 200, "")
		t.Logf("round %d: it is in %s", round, tt.tenant(t).Database)
	}
	to := map[string]string{"shared-1": "shared-2", "shared-2": "shared-1"}[tt.tenant(t).Database]
	if run := launch(t, p.env, "tenant", "move", tt.slug, "--to", to, "--max-pause", "1m"); run.wait() != 0 {
		t.Fatal(run.stderr.String())
	}
	tt.login(t, email, goodPassword).want(t, 200, "")
	if again := launch(t, p.env, "tenant", "move", tt.slug, "--to", to); again.wait() != 0 || !strings.Contains(again.stdout.String(), "already") {
		t.Errorf("where it is already: %s%s", again.stdout.String(), again.stderr.String())
	}
	launch(t, p.env, "tenant", "move", tt.slug, "--to", "shared-9").refuses(`database "shared-9" is not configured here`)
	launch(t, p.env, "tenant", "move", "platform", "--to", "shared-2").refuses("the platform tenant lives where the directory is")
	launch(t, p.env, "tenant", "move", tt.slug).refuses("say where to")
}
