package tenancy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// platform is an installation of a test's own, put together as the service does it: the serving role's connections, the
// provisioning role's, and two logins to Vault that may do no more than they must.
type platform struct {
	tenancytest.Installation

	pool         *Pool
	db           *DB
	directory    *Directory // deaf until listen
	provisioning ProvisioningDB
	options      ProvisionerOptions
	provision    *Provisioner
	runtime      *custody.Vault
	repeat       *Repeat
	clock        *clock
}

const testDatabase = "main"

func newPlatform(t testing.TB) *platform {
	t.Helper()
	return assemble(t, tenancytest.Install(t))
}

// assemble puts a platform together on what is installed.
func assemble(t testing.TB, in tenancytest.Installation) *platform {
	t.Helper()
	p := &platform{Installation: in, clock: &clock{}}
	p.pool = openPool(t, p.RuntimeURL, 8)
	p.db = NewDB(DBOptions{Control: p.pool, Tenants: map[string]*Pool{testDatabase: p.pool}})
	p.directory = NewDirectory(DirectoryOptions{DB: p.db})
	p.provisioning = NewProvisioningDB(provisioningPool(t, p.ProvisionerURL, 4), p.pool.User())
	p.runtime = openVault(t, p.Runtime)
	p.repeat = NewRepeat(p.db, p.runtime, p.clock.now)
	p.options = ProvisionerOptions{Control: p.provisioning, Placements: map[string]Placement{testDatabase: {p.provisioning, 1000}},
		Home: testDatabase, Region: "here", Keys: openVault(t, p.Provisioner), Furnisher: furnisher{}, DomainSuffix: "tenants.example",
		Now: p.clock.now, Log: slog.New(slog.DiscardHandler)}
	p.provision = NewProvisioner(p.options)
	return p
}

func provisioningPool(t testing.TB, to string, size int32) *pgxpool.Pool {
	t.Helper()
	pool, err := NewProvisioningPool(t.Context(), to, size)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func openPool(t testing.TB, to string, size int32) *Pool {
	t.Helper()
	pool, err := NewPool(to, size)
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func openVault(t testing.TB, c custody.VaultConfig) *custody.Vault {
	t.Helper()
	v, err := custody.OpenVault(c)
	check(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// replica is a second process of the service as far as the directory is concerned: pools and memory of its own.
func (p *platform) replica(t testing.TB) *Directory {
	t.Helper()
	pool := openPool(t, p.RuntimeURL, 4)
	return NewDirectory(DirectoryOptions{DB: NewDB(DBOptions{Control: pool})})
}

// listen lets a directory hear until the test ends, and returns once it does.
func listen(t testing.TB, d *Directory) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { d.Listen(ctx, slog.New(slog.DiscardHandler)) })
	t.Cleanup(func() { cancel(); done.Wait() })
	within(t, 5*time.Second, "the directory listens", func() bool { return !d.deaf.Load() })
}

// newSlug is one nobody has.
func newSlug() Slug { return Slug("a" + strings.ToLower(rand.Text()[:12])) }

// wanted is a tenant to ask for.
func wanted() Tenant { return Tenant{Slug: newSlug(), Name: "Acme", Locale: "en"} }

// tenant makes one.
func (p *platform) tenant(t testing.TB) Tenant {
	t.Helper()
	c, err := p.provision.Create(t.Context(), wanted())
	check(t, err)
	return c.Tenant
}

// behind is a superuser's connection, for looking at things and breaking them behind the service's back.
func (p *platform) behind(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.SuperuserURL)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// do runs statements as a superuser.
func (p *platform) do(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn := p.behind(t)
	_, err := conn.Exec(t.Context(), sql, args...)
	check(t, err)
	check(t, conn.Close(t.Context()))
}

// ask is the one value that a superuser's query gives.
func ask[T any](t testing.TB, p *platform, sql string, args ...any) (v T) {
	t.Helper()
	conn := p.behind(t)
	check(t, conn.QueryRow(t.Context(), sql, args...).Scan(&v))
	check(t, conn.Close(t.Context()))
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within asks again until it is so, and fails the test if it is not in time. It returns how long it took.
func within(t testing.TB, limit time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// inParallel runs fn in n goroutines that begin together, and reports every error.
func inParallel(t testing.TB, n int, fn func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			if err := fn(i); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
}

// clock is the real one, moved.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// sqlState is the SQLSTATE in the chain of an error.
func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// codeOf is the code that a client would be told.
func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return problem.From(err).Code
}

// furnisher puts an owner and a key into a new tenant, like identity does.
type furnisher struct{}

type testBlueprint struct {
	Owner   id.User   `json:"owner"`
	Email   string    `json:"email"`
	Key     id.APIKey `json:"key"`
	KeyHash []byte    `json:"key_hash"`
	At      time.Time `json:"at"`
}

func (furnisher) Plan(t Tenant) (Plan, error) {
	secret := rand.Text()
	raw := FormatSecret(KeyPrefix, t.ID, []byte(secret))
	hash := sha256.Sum256([]byte(raw))
	b := testBlueprint{Email: t.OwnerEmail, Key: id.NewAPIKey(), KeyHash: hash[:], At: t.CreatedAt}
	plan := Plan{AdminKey: raw}
	if t.OwnerEmail != "" {
		b.Owner = id.NewUser()
		plan.OwnerID = b.Owner
	}
	text, err := json.Marshal(b)
	plan.Blueprint = string(text)
	return plan, err
}

func (furnisher) Furnish(ctx context.Context, tx Tx, blueprint string) error {
	var b testBlueprint
	if err := json.Unmarshal([]byte(blueprint), &b); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into api_keys (id, name, prefix, key_hash, scopes, created_at) values ($1, 'Administration', 'ghk_', $2, '{}', $3)
		on conflict (id) do nothing`, b.Key, b.KeyHash, b.At)
	if err != nil || b.Owner.IsZero() {
		return err
	}
	_, err = tx.Exec(ctx, `insert into users (id, email, name, roles, is_owner, created_at, updated_at) values ($1, $2, 'Owner', '{admin}', true, $3, $3)
		on conflict (id) do nothing`, b.Owner, b.Email, b.At)
	return err
}
