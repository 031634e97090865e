package tenancy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// counted is a directory whose questions to Postgres are counted.
type counted struct {
	*Directory
	asked *atomic.Int64
}

type tracer struct{ asked atomic.Int64 }

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "from tenants t") {
		tr.asked.Add(1)
	}
	return ctx
}

func (*tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newCounted(t testing.TB, p *platform, o DirectoryOptions) counted {
	t.Helper()
	tr := &tracer{}
	pool := openPool(t, p.RuntimeURL, 8)
	pool.config.Tracer = tr
	o.DB = NewDB(DBOptions{Control: pool})
	return counted{NewDirectory(o), &tr.asked}
}

// costs is how many queries fn makes.
func (c counted) costs(fn func()) int64 {
	before := c.asked.Load()
	fn()
	return c.asked.Load() - before
}

// domain gives a tenant a proved name, as a person with psql would.
func (p *platform) domain(t testing.TB, tenant Tenant, h Host, uses ...Use) {
	t.Helper()
	d := newDomain(tenant.ID, h, uses, time.Now())
	p.do(t, `insert into control.domains (id, tenant_id, domain, uses, verification_token, verified_at, created_at) values ($1, $2, $3, $4, $5, now(), now())`,
		d.ID, d.Tenant, d.Domain, d.Uses, d.VerificationToken)
}

func newHost() Host { return Host(newSlug()) + ".example.com" }

// ways are the four names of a tenant.
func ways(t testing.TB, p *platform, tenant Tenant) map[string]func(d *Directory) (Tenant, error) {
	t.Helper()
	host := newHost()
	p.domain(t, tenant, host, UseHost, UseEmail)
	ctx := t.Context()
	return map[string]func(d *Directory) (Tenant, error){
		"host":         func(d *Directory) (Tenant, error) { return d.ByHost(ctx, host) },
		"email domain": func(d *Directory) (Tenant, error) { return d.ByEmailDomain(ctx, host) },
		"slug":         func(d *Directory) (Tenant, error) { return d.BySlug(ctx, tenant.Slug) },
		"id":           func(d *Directory) (Tenant, error) { return d.ByID(ctx, tenant.ID) },
	}
}

func TestAHitCostsNoQuery(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	byName := ways(t, p, tenant)
	d := newCounted(t, p, DirectoryOptions{})
	listen(t, d.Directory)
	for name, look := range byName {
		cost := d.costs(func() {
			for range 1000 {
				if got, err := look(d.Directory); err != nil || got.ID != tenant.ID {
					t.Fatalf("by %s: %v, %v", name, got.ID, err)
				}
			}
		})
		if cost != 1 {
			t.Errorf("1000 lookups by %s cost %d queries, want 1", name, cost)
		}
	}
	unknown := newHost()
	cost := d.costs(func() {
		for range 1000 {
			if _, err := d.ByHost(t.Context(), unknown); !errors.Is(err, ErrUnknown) {
				t.Fatalf("an unknown host: %v", err)
			}
		}
	})
	if cost != 1 {
		t.Errorf("1000 lookups of a host nobody has cost %d queries, want 1", cost)
	}
}

// TestANameOfOneKindIsNotFoundAsAnother: a slug that reads like a host's first label, an e-mail domain that is no host.
func TestANameOfOneKindIsNotFoundAsAnother(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	mail, host := newHost(), newHost()
	p.domain(t, tenant, mail, UseEmail)
	p.domain(t, tenant, host, UseHost)
	unproved := newHost()
	p.do(t, `insert into control.domains (id, tenant_id, domain, uses, verification_token, created_at) values ($1, $2, $3, '{host,email}', '', now())`,
		id.NewDomain(), tenant.ID, unproved)
	d := p.directory
	for name, look := range map[string]func() (Tenant, error){
		"an e-mail domain as a host":   func() (Tenant, error) { return d.ByHost(t.Context(), mail) },
		"a host as an e-mail domain":   func() (Tenant, error) { return d.ByEmailDomain(t.Context(), host) },
		"a slug as a host":             func() (Tenant, error) { return d.ByHost(t.Context(), Host(tenant.Slug)) },
		"an id as a slug":              func() (Tenant, error) { return d.BySlug(t.Context(), Slug(tenant.ID.String())) },
		"a claim without proof":        func() (Tenant, error) { return d.ByHost(t.Context(), unproved) },
		"a claim without proof, email": func() (Tenant, error) { return d.ByEmailDomain(t.Context(), unproved) },
		"a subdomain":                  func() (Tenant, error) { return d.ByHost(t.Context(), "www."+host) },
		"the zero id":                  func() (Tenant, error) { return d.ByID(t.Context(), id.Tenant{}) },
	} {
		if got, err := look(); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s finds %v, %v", name, got.ID, err)
		}
	}
}

// TestEveryReplicaSeesAChange: what one replica, or a person with psql, changes is known to another one within a second,
// whether it remembered a tenant or that there was none.
func TestEveryReplicaSeesAChange(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	other := p.replica(t)
	listen(t, other)
	ctx := t.Context()
	host := newHost()
	slug := newSlug()
	tenant, second := p.tenant(t), p.tenant(t)
	var took []time.Duration
	for _, step := range []struct {
		what   string
		change func()
		look   func() (Tenant, error)
		now    func(Tenant, error) bool
	}{
		{"a new tenant", func() { w := wanted(); w.Slug = slug; _, err := p.provision.Create(ctx, w); check(t, err) },
			func() (Tenant, error) { return other.BySlug(ctx, slug) }, func(_ Tenant, err error) bool { return err == nil }},
		{"a new domain", func() { p.domain(t, tenant, host, UseHost) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(got Tenant, err error) bool { return err == nil && got.ID == tenant.ID }},
		{"a suspension", func() { yes := true; check(t, p.provision.Update(ctx, tenant.ID, Change{Suspended: &yes})) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(got Tenant, _ error) bool { return got.State == Suspended }},
		{"its end", func() { no := false; check(t, p.provision.Update(ctx, tenant.ID, Change{Suspended: &no})) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(got Tenant, _ error) bool { return got.State == Active }},
		{"a primary domain given up", func() { p.do(t, "delete from control.domains where tenant_id = $1 and is_primary", tenant.ID) },
			func() (Tenant, error) { return other.ByID(ctx, tenant.ID) }, func(got Tenant, _ error) bool { return got.PrimaryDomain == "" }},
		{"a domain that moves to another tenant", func() { p.do(t, "update control.domains set tenant_id = $2 where domain = $1", host, second.ID) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(got Tenant, _ error) bool { return got.ID == second.ID }},
		{"a use taken back", func() { p.do(t, "update control.domains set uses = '{email}' where domain = $1", host) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(_ Tenant, err error) bool { return errors.Is(err, ErrUnknown) }},
		{"and given again", func() { p.do(t, "update control.domains set uses = '{host}' where domain = $1", host) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(_ Tenant, err error) bool { return err == nil }},
		{"a domain removed", func() { p.do(t, "delete from control.domains where domain = $1", host) },
			func() (Tenant, error) { return other.ByHost(ctx, host) }, func(_ Tenant, err error) bool { return errors.Is(err, ErrUnknown) }},
		{"a new slug", func() { p.do(t, "update control.tenants set slug = slug || 'x' where id = $1", second.ID) },
			func() (Tenant, error) { return other.BySlug(ctx, second.Slug) }, func(_ Tenant, err error) bool { return errors.Is(err, ErrUnknown) }},
	} {
		if got, err := step.look(); step.now(got, err) { // remembers the state before
			t.Fatalf("%s is there already: %+v, %v", step.what, got, err)
		}
		step.change()
		took = append(took, within(t, time.Second, step.what+" is seen", func() bool { return step.now(step.look()) }))
	}
	t.Logf("seen elsewhere within %v of the change at the latest", slices.Max(took))
}

// TestALookupThatOverlapsAChangeIsNotKept is the race the generation closes: a lookup reads, the change is announced, and
// only then the lookup would store what it read.
func TestALookupThatOverlapsAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := newCounted(t, p, DirectoryOptions{})
	listen(t, d.Directory)
	for name, before := range map[string]bool{"a tenant that is renamed": true, "a tenant that is made": false} {
		slug := newSlug()
		w := wanted()
		w.Slug = slug
		var tenant Tenant
		if before {
			c, err := p.provision.Create(t.Context(), w)
			check(t, err)
			tenant = c.Tenant
		}
		read, goOn, slow := make(chan bool), make(chan bool), make(chan error)
		go func() {
			_, err := d.byName(t.Context(), nameOf(slug), func(ctx context.Context, tx directoryTx) (Tenant, error) {
				got, err := tenantBySlug(ctx, tx, slug)
				close(read)
				<-goOn
				return got, err
			})
			slow <- err
		}()
		<-read
		generation := d.generation.Load()
		if before {
			p.do(t, "update control.tenants set name = 'New' where id = $1", tenant.ID)
		} else {
			_, err := p.provision.Create(t.Context(), w)
			check(t, err)
		}
		within(t, time.Second, "the change is announced", func() bool { return d.generation.Load() > generation })
		// Who asks from now on must not be given what the slow lookup read, though it still runs.
		got, err := d.BySlug(t.Context(), slug)
		if err != nil || before && got.Name != "New" {
			t.Errorf("%s: after the announcement the answer is %q, %v", name, got.Name, err)
		}
		close(goOn)
		if err := <-slow; before != (err == nil) {
			t.Errorf("%s: the slow lookup: %v", name, err)
		}
		if got, err := d.BySlug(t.Context(), slug); err != nil || before && got.Name != "New" {
			t.Errorf("%s: the slow lookup has put %q, %v into the memory", name, got.Name, err)
		}
	}
}

func nameOf(s Slug) name { return name{"slug", string(s)} }

func TestManyWhoAskTheSameAtOnceCostOneQuery(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	d := newCounted(t, p, DirectoryOptions{})
	listen(t, d.Directory)
	cost := d.costs(func() {
		inParallel(t, 50, func(int) error { _, err := d.BySlug(t.Context(), tenant.Slug); return err })
	})
	if cost > 3 { // the last to come may find the first gone and the answer not stored yet
		t.Errorf("50 at once cost %d queries", cost)
	}
}

// TestTheFirstWhoAsksMayLeave: those who wait for its query must not be sent away with it.
func TestTheFirstWhoAsksMayLeave(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	ctx, cancel := context.WithCancel(t.Context())
	asking, goOn, done := make(chan bool), make(chan bool), make(chan error, 1)
	go func() {
		_, err := p.directory.byName(ctx, nameOf(tenant.Slug), func(ctx context.Context, tx directoryTx) (Tenant, error) {
			close(asking)
			<-goOn
			return tenantBySlug(ctx, tx, tenant.Slug)
		})
		done <- err
	}()
	<-asking
	cancel()
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the query died with the one who asked first: %v", err)
	}
}

// TestASprayOfHostsIsBounded: names nobody has fill neither the memory nor push out those of tenants.
func TestASprayOfHostsIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	d := newCounted(t, p, DirectoryOptions{Tenants: 100, Nowhere: 1000})
	listen(t, d.Directory)
	_, err := d.BySlug(t.Context(), tenant.Slug)
	check(t, err)
	const sprayed = 20_000
	inParallel(t, 8, func(i int) error {
		for n := range sprayed / 8 {
			if _, err := d.ByHost(t.Context(), Host(fmt.Sprintf("h%d-%d.example", i, n))); !errors.Is(err, ErrUnknown) {
				return err
			}
		}
		return nil
	})
	if n := d.nowhere.Len(); n != 1000 {
		t.Errorf("%d unknown names are remembered, want 1000", n)
	}
	if n := d.names.Len(); n != 1 {
		t.Errorf("%d records are remembered, want 1", n)
	}
	if cost := d.costs(func() { _, err = d.BySlug(t.Context(), tenant.Slug) }); cost != 0 || err != nil {
		t.Errorf("the tenant's own record was pushed out: %d queries, %v", cost, err)
	}
}

// TestADirectoryThatHearsNothingTrustsNothingOld: its listening connection is killed and cannot be made again.
func TestADirectoryThatHearsNothingTrustsNothingOld(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	clock := &clock{}
	d := newCounted(t, p, DirectoryOptions{Now: clock.now})
	listen(t, d.Directory)
	look := func() Tenant {
		got, err := d.ByID(t.Context(), tenant.ID)
		check(t, err)
		return got
	}
	look()
	role := p.pool.User()
	p.do(t, "alter role "+role+" connection limit 1") // what is open stays open
	killed := ask[int](t, p, "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and query = 'listen gatehouse_directory') k", role)
	if killed != 1 {
		t.Fatalf("%d listening connections", killed)
	}
	within(t, time.Second, "the directory knows that it is deaf", d.deaf.Load)

	p.do(t, "update control.tenants set name = 'Unheard' where id = $1", tenant.ID)
	clock.advance(deafTrust)
	if got := look(); got.Name != "Unheard" {
		t.Errorf("two seconds after the connection was lost it still answers %q", got.Name)
	}
	if cost := d.costs(func() { look(); look() }); cost != 0 {
		t.Errorf("within two seconds a record read while deaf is good, but cost %d queries", cost)
	}
	unknown := newHost()
	if cost := d.costs(func() {
		for range 3 {
			_, _ = d.ByHost(t.Context(), unknown)
		}
	}); cost != 3 {
		t.Errorf("deaf, it remembers that a name led nowhere (%d queries for 3 lookups)", cost)
	}

	p.do(t, "update control.tenants set name = 'Meanwhile' where id = $1", tenant.ID)
	p.do(t, "alter role "+role+" connection limit -1")
	took := within(t, 10*time.Second, "it hears again", func() bool { return !d.deaf.Load() })
	if got := look(); got.Name != "Meanwhile" { // the clock stood still, so only forgetting brings this
		t.Errorf("what was announced while it was deaf is missed: %q", got.Name)
	}
	if cost := d.costs(func() { clock.advance(time.Hour); look() }); cost != 0 {
		t.Error("hearing again, it still does not trust its records")
	}
	t.Logf("it heard again %v after connections were possible", took.Round(time.Millisecond))
}

// TestSilenceIsNotMistakenForPeace: a connection that was cut without a word gives no error by itself.
func TestSilenceIsNotMistakenForPeace(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	network := newRelay(t, p.RuntimeURL)
	d := NewDirectory(DirectoryOptions{DB: NewDB(DBOptions{Control: openPool(t, network.url, 2)})})
	listen(t, d)
	thaw := network.freeze()
	defer thaw()
	took := within(t, 5*time.Second, "it knows that it is deaf", d.deaf.Load)
	t.Logf("noticed after %v", took.Round(time.Millisecond))
	thaw()
	within(t, 5*time.Second, "it hears again", func() bool { return !d.deaf.Load() })
}

// TestATenantPushedOutCanStillBeChanged: a record must not outlive what would end it.
func TestATenantPushedOutCanStillBeChanged(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenants := []Tenant{p.tenant(t), p.tenant(t), p.tenant(t)}
	d := newCounted(t, p, DirectoryOptions{Tenants: 2})
	listen(t, d.Directory)
	for _, tenant := range tenants {
		_, err := d.BySlug(t.Context(), tenant.Slug)
		check(t, err)
	}
	if cost := d.costs(func() { _, _ = d.BySlug(t.Context(), tenants[2].Slug) }); cost != 0 {
		t.Error("the newest is not remembered")
	}
	generation := d.generation.Load()
	p.do(t, "update control.tenants set state = 'suspended' where id = $1", tenants[0].ID)
	within(t, time.Second, "it is announced", func() bool { return d.generation.Load() > generation })
	if got, err := d.BySlug(t.Context(), tenants[0].Slug); err != nil || got.State != Suspended {
		t.Errorf("a tenant that was pushed out is still %s, %v", got.State, err)
	}
}

// TestAChangeOfOneTenantLeavesTheOthers: else a platform that is administered would never hit.
func TestAChangeOfOneTenantLeavesTheOthers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	busy, quiet := p.tenant(t), p.tenant(t)
	d := newCounted(t, p, DirectoryOptions{})
	listen(t, d.Directory)
	_, err := d.BySlug(t.Context(), quiet.Slug)
	check(t, err)
	generation := d.generation.Load()
	p.do(t, "update control.tenants set name = 'New' where id = $1", busy.ID)
	within(t, time.Second, "it is announced", func() bool { return d.generation.Load() > generation })
	if cost := d.costs(func() { _, err = d.BySlug(t.Context(), quiet.Slug) }); cost != 0 || err != nil {
		t.Errorf("it cost %d queries, %v", cost, err)
	}
}

// TestFiftyAskWhileTenantsChange is for the race detector, and for what is true in the end.
func TestFiftyAskWhileTenantsChange(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenants := []Tenant{p.tenant(t), p.tenant(t), p.tenant(t), p.tenant(t)}
	d := p.replica(t)
	listen(t, d)
	var stop atomic.Bool
	changed := make(chan error, 1)
	go func() {
		defer stop.Store(true)
		for n := range 40 {
			name, suspended := fmt.Sprint("Name ", n), n%2 == 0
			if err := p.provision.Update(t.Context(), tenants[n%4].ID, Change{Name: &name, Suspended: &suspended}); err != nil {
				changed <- err
				return
			}
		}
		changed <- nil
	}()
	inParallel(t, 50, func(i int) error {
		for n := i; !stop.Load(); n++ {
			want := tenants[n%4]
			got, err := d.BySlug(t.Context(), want.Slug)
			if err != nil || got.ID != want.ID {
				return fmt.Errorf("%s: %s, %w", want.ID, got.ID, err)
			}
			if n%16 == 0 {
				d.Forget(want.ID)
			}
			runtime.Gosched()
		}
		return nil
	})
	check(t, <-changed)
	for i, tenant := range tenants {
		want := fmt.Sprint("Name ", 36+i)
		within(t, time.Second, "the last change is seen", func() bool { got, err := d.BySlug(t.Context(), tenant.Slug); return err == nil && got.Name == want })
	}
}

func TestAnOutageIsNotRememberedAsUnknown(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	d := newCounted(t, p, DirectoryOptions{})
	listen(t, d.Directory)
	p.do(t, "revoke select on control.tenants from gatehouse_directory")
	if _, err := d.BySlug(t.Context(), tenant.Slug); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("a lookup that failed: %v", err)
	}
	p.do(t, "grant select on control.tenants to gatehouse_directory")
	if got, err := d.BySlug(t.Context(), tenant.Slug); err != nil || got.ID != tenant.ID {
		t.Errorf("and the next: %v, %v", got.ID, err)
	}
}

func TestListIsInTheOrderOfMaking(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var want []id.Tenant
	for range 5 {
		want = append(want, p.tenant(t).ID)
	}
	crashed := p.options
	crashed.afterStep = func(string) error { return errors.New("crash") }
	_, _ = NewProvisioner(crashed).Create(t.Context(), wanted()) // invisible
	var got []id.Tenant
	var after id.Tenant
	for {
		page, err := p.directory.List(t.Context(), after, 2)
		check(t, err)
		if len(page) == 0 {
			break
		}
		for _, tenant := range page {
			got = append(got, tenant.ID)
		}
		after = got[len(got)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}
