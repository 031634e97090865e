package tenancy

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/zonetest"
)

// renamed gives a tenant another slug.
func (p *platform) renamed(t testing.TB, tenant Tenant, to Slug) error {
	t.Helper()
	return NewProvisioner(p.options).Update(t.Context(), tenant.ID, Change{Slug: &to})
}

func TestARenamedTenantIsFoundByItsNewSlugAlone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	replicas := []*Directory{p.replica(t), p.replica(t)}
	tenant, to := p.tenant(t), newSlug()
	for _, d := range replicas {
		listen(t, d)
		if _, err := d.BySlug(t.Context(), tenant.Slug); err != nil {
			t.Fatal(err)
		}
		if _, err := d.BySlug(t.Context(), to); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
	}
	check(t, p.renamed(t, tenant, to))
	for _, d := range replicas {
		within(t, promised, "every replica knows", func() bool {
			_, old := d.BySlug(t.Context(), tenant.Slug)
			got, err := d.BySlug(t.Context(), to)
			return errors.Is(old, ErrUnknown) && err == nil && got.ID == tenant.ID
		})
		for _, slug := range []Slug{tenant.Slug, to} { // the domain that came with either
			if got, err := d.ByHost(t.Context(), Host(slug)+".tenants.example"); err != nil || got.ID != tenant.ID || got.PrimaryDomain != tenant.PrimaryDomain {
				t.Errorf("%s.tenants.example leads to %+v, %v", slug, got, err)
			}
		}
	}
}

func TestAParkedSlugIsNobodyElses(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, other, to := p.tenant(t), p.tenant(t), newSlug()
	check(t, p.renamed(t, tenant, to))
	again := wanted()
	again.Slug = tenant.Slug
	if _, err := p.provision.Create(t.Context(), again); codeOf(err) != "slug_taken" {
		t.Errorf("a new tenant takes a parked slug: %v", err)
	}
	if err := p.renamed(t, other, tenant.Slug); codeOf(err) != "slug_taken" {
		t.Errorf("another tenant takes it: %v", err)
	}
	if err := p.renamed(t, other, to); codeOf(err) != "slug_taken" {
		t.Errorf("another tenant takes the one in use: %v", err)
	}
	for _, back := range []Slug{tenant.Slug, to, tenant.Slug} {
		check(t, p.renamed(t, tenant, back))
	}
	if n := ask[int](t, p, "select count(*) from control.parked_slugs"); n != 2 {
		t.Errorf("%d slugs are parked", n)
	}
	// The one that was used in a making that was given up was never anybody's.
	half := wanted()
	if _, err := p.crashing("keys").Create(t.Context(), half); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	u, err := p.provision.unfinished(t.Context(), p.clock.now())
	check(t, err)
	p.provision.abandon(t.Context(), u[0].tenant)
	_, err = p.provision.Create(t.Context(), half)
	check(t, err)
}

// TestASlugThatIsGivenUpAndWantedAtOnce: the one who wants it comes while the other's transaction is under way.
func TestASlugThatIsGivenUpAndWantedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for range 10 {
		a, b, to := p.tenant(t), p.tenant(t), newSlug()
		w := wanted()
		w.Slug = a.Slug
		inParallel(t, 3, func(i int) error {
			var err error
			switch i {
			case 0:
				return p.renamed(t, a, to)
			case 1:
				err = p.renamed(t, b, a.Slug)
			default:
				_, err = NewProvisioner(p.options).Create(t.Context(), w)
			}
			if codeOf(err) != "slug_taken" {
				t.Errorf("a slug that is being given up: %v", err)
			}
			return nil
		})
	}
}

func TestTwoWhoWantOneNewSlug(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for range 5 {
		tenants, to := []Tenant{p.tenant(t), p.tenant(t)}, newSlug()
		var given, refused atomic.Int32
		inParallel(t, 4, func(i int) error { // two replicas each
			switch err := p.renamed(t, tenants[i%2], to); codeOf(err) {
			case "ok":
				given.Add(1)
			case "slug_taken":
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
		if given.Load() != 2 || refused.Load() != 2 {
			t.Errorf("%d got it and %d did not", given.Load(), refused.Load())
		}
	}
}

// TestARenameWhileDomainsAreClaimed: neither waits for the other in vain.
func TestARenameWhileDomainsAreClaimed(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, domains := p.tenant(t), p.domains(&zonetest.Zone{})
	inParallel(t, 8, func(i int) error {
		if i%2 == 0 {
			return p.renamed(t, tenant, newSlug())
		}
		_, err := domains.Claim(t.Context(), tenant, Operation{}, newHost(), []Use{UseHost}, func(Domain) any { return nil })
		return err
	})
}
