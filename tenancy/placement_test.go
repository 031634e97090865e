package tenancy

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// withPlacements is another replica's provisioner, over the databases given and its own.
func (p *platform) withPlacements(t testing.TB, own int, more map[string]Placement) *Provisioner {
	t.Helper()
	o := p.options
	o.Placements = map[string]Placement{testDatabase: {NewProvisioningDB(provisioningPool(t, p.ProvisionerURL, 4), p.pool.User()), own}}
	maps.Copy(o.Placements, more)
	return NewProvisioner(o)
}

// furtherDatabase makes one and returns how tenants are put into it.
func furtherDatabase(t testing.TB, capacity int) Placement {
	t.Helper()
	in := tenancytest.Database(t)
	return Placement{NewProvisioningDB(provisioningPool(t, in.ProvisionerURL, 4), openPool(t, in.RuntimeURL, 2).User()), capacity}
}

// perDatabase counts the tenants of each database that are usable, by their schemas too.
func (p *platform) perDatabase(t testing.TB, places map[string]Placement) map[string]int {
	t.Helper()
	held, err := p.directory.Tenants(t.Context())
	check(t, err)
	for name, place := range places {
		var schemas int
		check(t, place.pool.QueryRow(t.Context(), `select count(*) from pg_namespace where nspname like 't\_%'`).Scan(&schemas))
		if schemas != held[name] {
			t.Errorf("%s has %d schemas for %d tenants", name, schemas, held[name])
		}
	}
	return held
}

// TestRacingCreationsFillTheFleetAndNoMore: twenty at once, by two replicas, into three databases with nine places.
func TestRacingCreationsFillTheFleetAndNoMore(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	more := map[string]Placement{"second": furtherDatabase(t, 4), "third": furtherDatabase(t, 2)}
	replicas := []*Provisioner{p.withPlacements(t, 3, more), p.withPlacements(t, 3, more)}
	var mu sync.Mutex
	made, refused := 0, 0
	inParallel(t, 20, func(i int) error {
		_, err := replicas[i%2].Create(t.Context(), wanted())
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			made++
		case problem.Is(err, "capacity_exhausted"):
			refused++
		default:
			return err
		}
		return nil
	})
	want := map[string]int{testDatabase: 3, "second": 4, "third": 2}
	if got := p.perDatabase(t, replicas[0].Placements); made != 9 || refused != 11 || !maps.Equal(got, want) {
		t.Errorf("%d made and %d refused, %v; want 9 and 11, %v", made, refused, got, want)
	}
}

func TestTenantsGoWhereThereIsMostRoom(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	places := map[string]Placement{"second": furtherDatabase(t, 4), "closed": furtherDatabase(t, 0)}
	provision := p.withPlacements(t, 2, places)
	create := func(database string) (string, error) {
		w := wanted()
		w.Database = database
		c, err := provision.Create(t.Context(), w)
		return c.Tenant.Database, err
	}
	for i, want := range []string{testDatabase, "second", "second", testDatabase} { // 0/2 0/4, 1/2 0/4, 1/2 1/4, 1/2 2/4
		if got, err := create(""); err != nil || got != want {
			t.Errorf("tenant %d is put into %q, %v; want %q", i, got, err, want)
		}
	}
	if got, err := create("second"); err != nil || got != "second" {
		t.Errorf("where it was wanted: %q, %v", got, err)
	}
	for _, full := range []string{testDatabase, "closed"} {
		_, err := create(full)
		if e, ok := errors.AsType[*problem.Error](err); !ok || e.Code != "capacity_exhausted" || !strings.Contains(e.Message, "This database") || e.RetryAfter <= 0 {
			t.Errorf("into %s, which is full: %v", full, err)
		}
	}
	platform := wanted()
	platform.Slug, platform.Master = PlatformSlug, true
	if c, err := p.withPlacements(t, 0, places).Create(t.Context(), platform); err != nil || c.Tenant.Database != testDatabase {
		t.Errorf("the platform's own tenant is put into %q, %v", c.Tenant.Database, err)
	}
	if _, err := create("elsewhere"); codeOf(err) != "invalid_request" {
		t.Errorf("into one that is not there: %v", err)
	}
	p.reserved(t, provision)
	if _, err := create(""); !problem.Is(err, "capacity_exhausted") {
		t.Errorf("a place that a half made tenant holds is given away: %v", err)
	}
	check(t, provision.FinishAll(t.Context(), 0))
	if got, want := p.perDatabase(t, provision.Placements), map[string]int{testDatabase: 3, "second": 4}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// reserved leaves a tenant behind that is reserved and no more.
func (p *platform) reserved(t testing.TB, provision *Provisioner) {
	t.Helper()
	o := provision.ProvisionerOptions
	o.afterStep = func(string) error { return errors.New("crash") }
	if _, err := NewProvisioner(o).Create(t.Context(), wanted()); err == nil {
		t.Fatal("nothing crashed")
	}
}

// TestADatabaseThatIsAwayGetsNoTenants: the emptiest one would draw all of them.
func TestADatabaseThatIsAwayGetsNoTenants(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	in, server := tenancytest.OwnDatabase(t)
	place := Placement{NewProvisioningDB(provisioningPool(t, in.ProvisionerURL, 2), openPool(t, in.RuntimeURL, 2).User()), 1000}
	provision := p.withPlacements(t, 1, map[string]Placement{"other": place})
	check(t, server.Stop())
	c, err := provision.Create(t.Context(), wanted())
	if err != nil || c.Tenant.Database != testDatabase {
		t.Errorf("put into %q, %v", c.Tenant.Database, err)
	}
	unavailable(t, "only a database that is away has room", func() error {
		_, err := provision.Create(t.Context(), wanted())
		return err
	})
	named := wanted()
	named.Database = "other"
	unavailable(t, "into a database that is away", func() error {
		_, err := provision.Create(t.Context(), named)
		return err
	})
	if first, second := place.answers(t.Context()), place.answers(t.Context()); first == nil || first != second {
		t.Errorf("a database that is away is asked again at once: %v, then %v", first, second)
	}
	check(t, server.Restart(t.Context()))
	within(t, 10*time.Second, "the database is used again", func() bool {
		c, err = provision.Create(t.Context(), wanted())
		return err == nil
	})
	if c.Tenant.Database != "other" {
		t.Errorf("put into %q, %v", c.Tenant.Database, err)
	}
	if got := slices.Sorted(maps.Keys(p.perDatabase(t, provision.Placements))); len(got) != 2 {
		t.Errorf("tenants are in %v", got)
	}
}
