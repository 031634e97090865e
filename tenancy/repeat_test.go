package tenancy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// invitation is a request as a client sends it: it holds what must not lie about.
type invitation struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// maker is a creating operation: each time it runs it makes another user and shows a secret once.
type maker struct {
	prepared    atomic.Int64
	failPrepare error
	failWrite   error
}

func (m *maker) prepare(context.Context) (any, func(context.Context, Tx) error, error) {
	m.prepared.Add(1)
	u := id.NewUser()
	answer := map[string]string{"id": u.String(), "secret": rand.Text()}
	return answer, func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, `insert into users (id, email, name, roles, created_at, updated_at) values ($1, $2, 'New', '{}', now(), now())`, u, u.String()+"@example.com")
		return errors.Join(err, m.failWrite)
	}, m.failPrepare
}

// call is the operation as one caller sends it.
func (p *platform) call(t testing.TB, tenant Tenant, op Operation, m *maker) (string, error) {
	t.Helper()
	body, err := p.repeat.Create(t.Context(), tenant, op, m.prepare)
	return string(body), err
}

// answered is call for one that must succeed.
func (p *platform) answered(t testing.TB, tenant Tenant, op Operation, m *maker) string {
	t.Helper()
	body, err := p.call(t, tenant, op, m)
	check(t, err)
	return body
}

func users(t testing.TB, p *platform, tenant Tenant) int {
	t.Helper()
	return ask[int](t, p, "select count(*) from "+namespace(tenant.ID)+".users")
}

func answers(t testing.TB, p *platform, tenant Tenant) int {
	t.Helper()
	return ask[int](t, p, "select count(*) from "+namespace(tenant.ID)+".idempotency_keys")
}

// operation is one with a key nobody has used.
func operation() Operation {
	return Operation{Name: "POST /test", By: "key 1", Key: rand.Text(), Request: invitation{"ada@example.com", "correct horse"}}
}

func TestARepeatedCallIsAnsweredAlikeAndCreatesOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, op, m := p.tenant(t), operation(), &maker{}
	first := p.answered(t, tenant, op, m)
	for range 3 {
		if again := p.answered(t, tenant, op, m); again != first {
			t.Errorf("answered %s and then %s", first, again)
		}
	}
	if n := users(t, p, tenant); n != 1 || m.prepared.Load() != 1 {
		t.Errorf("%d users of %d preparations, want one of one", n, m.prepared.Load())
	}
}

func TestACallWithoutAKeyIsNotRepeatable(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, op, m := p.tenant(t), operation(), &maker{}
	op.Key = ""
	if first, second := p.answered(t, tenant, op, m), p.answered(t, tenant, op, m); first == second {
		t.Error("two calls without a key got one answer")
	}
	if n, kept := users(t, p, tenant), answers(t, p, tenant); n != 2 || kept != 0 {
		t.Errorf("%d users and %d answers kept, want 2 and none", n, kept)
	}
}

func TestTheSameKeyWithAnotherBodyIsAConflict(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, op, m := p.tenant(t), operation(), &maker{}
	first := p.answered(t, tenant, op, m)
	for _, other := range []invitation{{"eve@example.com", "correct horse"}, {"ada@example.com", "another password"}, {}} {
		changed := op
		changed.Request = other
		if body, err := p.call(t, tenant, changed, m); codeOf(err) != "idempotency_conflict" || body != "" {
			t.Errorf("%+v: %s, %v", other, body, err)
		}
	}
	if again := p.answered(t, tenant, op, m); again != first {
		t.Error("a conflict changed the answer")
	}
	if n := users(t, p, tenant); n != 1 {
		t.Errorf("%d users", n)
	}
}

// TestAnAnswerIsBoundToWhoAskedWhatWhere: each of these is another call, and none of them sees the first one's secret.
func TestAnAnswerIsBoundToWhoAskedWhatWhere(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, other, op, m := p.tenant(t), p.tenant(t), operation(), &maker{}
	elsewhere, caller, name, key := op, op, op, op
	caller.By, name.Name, key.Key = "key 2", "POST /other", strings.ToLower(op.Key)
	seen := map[string]string{p.answered(t, tenant, op, m): "the first call"}
	for what, c := range map[string]struct {
		tenant Tenant
		op     Operation
	}{
		"another tenant":    {other, elsewhere},
		"another caller":    {tenant, caller},
		"another operation": {tenant, name},
		"another key":       {tenant, key},
	} {
		body := p.answered(t, c.tenant, c.op, m)
		if whose, found := seen[body]; found {
			t.Errorf("%s was given the answer of %s", what, whose)
		}
		seen[body] = what
	}
	if here, there := users(t, p, tenant), users(t, p, other); here != 4 || there != 1 {
		t.Errorf("%d and %d users, want 4 and 1", here, there)
	}
}

// TestAMovedAnswerIsRefused: even who can write to the table cannot make one caller's answer another's.
func TestAMovedAnswerIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, other, op, m := p.tenant(t), p.tenant(t), operation(), &maker{}
	p.answered(t, tenant, op, m)
	thief, second := op, op
	thief.By, second.Key = "key 2", rand.Text()
	own := p.repeat.slot(tenant, op)
	for what, c := range map[string]struct {
		tenant Tenant
		op     Operation
	}{"another caller": {tenant, thief}, "another key": {tenant, second}, "another tenant": {other, op}} {
		slot := p.repeat.slot(c.tenant, c.op)
		p.do(t, "insert into "+namespace(c.tenant.ID)+".idempotency_keys select $1, $2, answer, created_at from "+namespace(tenant.ID)+".idempotency_keys where scope = $3 and key_hash = $4",
			slot.scope, slot.keyHash, own.scope, own.keyHash)
		if body, err := p.call(t, c.tenant, c.op, m); !errors.Is(err, custody.ErrTampered) || codeOf(err) != "internal" || body != "" {
			t.Errorf("%s: %s, %v", what, body, err)
		}
	}
	if n := users(t, p, tenant) + users(t, p, other); n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestWhatIsKeptTellsNothing(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, op := p.tenant(t), operation()
	op.Key = "order-4711 of Ada"
	body := p.answered(t, tenant, op, &maker{})
	_, rest, _ := strings.Cut(body, `"secret":"`)
	secret, _, _ := strings.Cut(rest, `"`)
	master, err := p.provision.Create(t.Context(), wanted())
	check(t, err)
	asked := wanted()
	asked.OwnerEmail = "ada@example.com"
	creation := Operation{Name: "POST /v1/tenants", By: "key 1", Key: op.Key, Request: op.Request}
	made, err := p.provision.CreateRepeatable(t.Context(), p.repeat, master.Tenant, creation, asked, func(c Created) any {
		b := renderTenant(c.Tenant)
		b.AdminKey = c.AdminKey
		return b
	})
	check(t, err)
	_, rest, _ = strings.Cut(string(made), `"admin_api_key":"`)
	adminKey, _, _ := strings.Cut(rest, `"`)
	dump := ask[string](t, p, "select string_agg(k::text, ' ') from "+namespace(tenant.ID)+".idempotency_keys k") +
		ask[string](t, p, "select string_agg(k::text, ' ') from control.idempotency_keys k")
	if secret == "" || adminKey == "" || strings.Count(dump, "vault:v1:") != 2 {
		t.Fatalf("nothing to look for (%q, %q) or at: %s", secret, adminKey, dump)
	}
	request := sha256.Sum256([]byte(`{"email":"ada@example.com","password":"correct horse"}`))
	for _, word := range []string{op.Key, "correct horse", "ada@example.com", secret, adminKey, "secret", string(request[:])} {
		for _, form := range []string{word, hex.EncodeToString([]byte(word)), base64.StdEncoding.EncodeToString([]byte(word)), base64.RawURLEncoding.EncodeToString([]byte(word))} {
			if strings.Contains(dump, form) {
				t.Errorf("%q is readable in %s", word, dump)
			}
		}
	}
}

func TestAKeyIsHonouredForADay(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, op, m := p.tenant(t), operation(), &maker{}
	first := p.answered(t, tenant, op, m)
	p.clock.advance(24*time.Hour - time.Minute)
	if again := p.answered(t, tenant, op, m); again != first {
		t.Error("forgotten before the day was over")
	}
	p.clock.advance(2 * time.Minute)
	changed := op
	changed.Request = invitation{"eve@example.com", "another"}
	next := p.answered(t, tenant, changed, m) // a new call, whatever it asks
	if next == first {
		t.Error("answered from memory after a day")
	}
	if again := p.answered(t, tenant, changed, m); again != next {
		t.Error("the new call is not repeatable")
	}
	if n, kept := users(t, p, tenant), answers(t, p, tenant); n != 2 || kept != 1 {
		t.Errorf("%d users and %d answers kept, want 2 and 1", n, kept)
	}
}

func TestExpiredAnswersAreSwept(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, m := p.tenant(t), &maker{}
	p.do(t, "insert into "+namespace(tenant.ID)+`.idempotency_keys select 'old', sha256(n::text::bytea), '', now() - interval '25 hours' from generate_series(1, 50) n`)
	for range 3 {
		p.answered(t, tenant, operation(), m)
	}
	if kept := answers(t, p, tenant); kept != 3 {
		t.Errorf("%d answers are kept after three calls, want theirs alone", kept)
	}
}

func TestFiftyAtOnceCreateOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	for round := range testenv.Rounds(t) {
		op, m := operation(), &maker{}
		bodies := make([]string, 50)
		inParallel(t, len(bodies), func(i int) error {
			for {
				body, err := p.repeat.Create(t.Context(), tenant, op, m.prepare)
				if problem.Is(err, "unavailable") { // eight connections and a busy machine: the client is told to try again, and does
					continue
				}
				bodies[i] = string(body)
				return err
			}
		})
		for _, body := range bodies {
			if body == "" || body != bodies[0] {
				t.Fatalf("one was answered %s, another %s", bodies[0], body)
			}
		}
		if n, kept := users(t, p, tenant), answers(t, p, tenant); n != round+1 || kept != round+1 {
			t.Fatalf("%d users and %d answers kept after %d rounds, want one of each", n, kept, round+1)
		}
	}
}

func TestAFailureIsNotKept(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	refusal := problem.New(problem.KindConflict, "email_taken", "This address is taken.")
	for what, m := range map[string]*maker{
		"of the preparation": {failPrepare: refusal},
		"of the write":       {failWrite: refusal},
		"of ours":            {failWrite: errors.New("a fault")},
	} {
		tenant, op := p.tenant(t), operation()
		if body, err := p.call(t, tenant, op, m); err == nil || body != "" {
			t.Errorf("%s: %s, %v", what, body, err)
		}
		if n, kept := users(t, p, tenant), answers(t, p, tenant); n != 0 || kept != 0 {
			t.Errorf("a failure %s leaves %d users and %d answers", what, n, kept)
		}
		working := &maker{}
		if first, again := p.answered(t, tenant, op, working), p.answered(t, tenant, op, working); first != again || users(t, p, tenant) != 1 {
			t.Errorf("after a failure %s the call is not repeatable", what)
		}
	}
}

func TestWithoutCustodyNothingIsCreatedAndTheRepetitionWorksLater(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	runtime, provisioner, server := tenancytest.OwnVault(t)
	in.Runtime, in.Provisioner = runtime, provisioner
	p := assemble(t, in)
	tenant, early, late, m := p.tenant(t), operation(), operation(), &maker{}
	first := p.answered(t, tenant, early, m)
	server.Kill()
	for what, op := range map[string]Operation{"a new call": late, "a repeated call": early} {
		unavailable(t, what, func() error { _, err := p.call(t, tenant, op, m); return err })
	}
	if n, kept := users(t, p, tenant), answers(t, p, tenant); n != 1 || kept != 1 {
		t.Errorf("%d users and %d answers kept, want those of before", n, kept)
	}
	check(t, server.Restart(t.Context()))
	var second string
	within(t, 10*time.Second, "custody is back", func() (ok bool) {
		body, err := p.call(t, tenant, late, m)
		second = body
		return err == nil
	})
	if again := p.answered(t, tenant, late, m); again != second {
		t.Errorf("answered %s and then %s", second, again)
	}
	if again := p.answered(t, tenant, early, m); again != first {
		t.Error("the answer of before is lost")
	}
	if n := users(t, p, tenant); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
}
