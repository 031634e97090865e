package tenancy

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/zonetest"
)

func TestAProvedHostIsMadePrimary(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant, other := p.bare(t), p.bare(t)
	by := Admitted{Tenant: tenant}
	first, second := proved(t, s, z, tenant, newHost()), proved(t, s, z, tenant, newHost())
	for what, c := range map[string]struct {
		by     Tenant
		domain id.Domain
		code   string
	}{
		"not proved":     {tenant, claimed(t, s, tenant, newHost()).ID, "not_verified"},
		"not a host":     {tenant, proved(t, s, z, tenant, newHost(), UseEmail).ID, "not_a_host"},
		"another's":      {other, second.ID, "not_found"},
		"not there":      {tenant, id.NewDomain(), "not_found"},
		"the other host": {tenant, second.ID, "ok"},
	} {
		d, err := s.MakePrimary(t.Context(), Admitted{Tenant: c.by}, c.domain)
		if code := codeOf(err); code != c.code || (code == "not_found") != errors.Is(err, ErrUnknown) || d.Primary != (err == nil) {
			t.Errorf("%s: %v, %+v", what, err, d)
		}
	}
	if got := primary(t, p, tenant); got != second.Domain {
		t.Errorf("%q is primary", got)
	}
	kept := ask[int](t, p, "select count(*) from control.former_issuers where tenant_id = $1", tenant.ID)
	if _, err := s.MakePrimary(t.Context(), by, second.ID); err != nil {
		t.Errorf("again: %v", err)
	}
	if again := ask[int](t, p, "select count(*) from control.former_issuers where tenant_id = $1", tenant.ID); again != kept {
		t.Errorf("%d former issuers became %d by what changed nothing", kept, again)
	}
	check(t, s.Remove(t.Context(), by, second.ID))
	if got := primary(t, p, tenant); got != first.Domain {
		t.Errorf("after its removal %q is primary", got)
	}
}

func TestAFormerIssuerIsGoodUntilItsTokensAreNot(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	by := Admitted{Tenant: tenant}
	a := Address{scheme: "https", shared: "id.example"}
	one, two := Host("one."+string(newHost())), Host("two."+string(newHost()))
	slug := "https://id.example/t/" + string(tenant.Slug)
	at := map[string]Site{
		"one":    {host: one, own: tenant},
		"two":    {host: two, own: tenant},
		"shared": {host: "id.example", hints: Hints{PathSlug: string(tenant.Slug)}},
	}
	// wants looks at the tenant as it is now: what each address says is the issuer, and which issuers tokens may name.
	wants := func(when string, said map[string]string, good ...string) {
		t.Helper()
		read, err := p.directory.Read(t.Context(), tenant.ID)
		check(t, err)
		for where, want := range said {
			if got := a.IssuerAt(read, at[where], p.clock.now()); got != want {
				t.Errorf("%s: at %s the issuer is %q, want %q", when, where, got, want)
			}
		}
		for _, issuer := range []string{slug, "https://" + string(one), "https://" + string(two), "https://id.example", "https://id.example/t/", ""} {
			if got := a.Issued(read, issuer, p.clock.now()); got != slices.Contains(good, issuer) {
				t.Errorf("%s: tokens of %q are good is %v", when, issuer, got)
			}
		}
	}
	hOne, hTwo := "https://"+string(one), "https://"+string(two)
	wants("at first", map[string]string{"shared": slug}, slug)
	first := proved(t, s, z, tenant, one)
	wants("with a host", map[string]string{"shared": slug, "one": hOne}, slug, hOne)
	p.clock.advance(MaxAccessLife)
	wants("after an hour", map[string]string{"shared": slug, "one": hOne}, slug, hOne)
	p.clock.advance(5 * time.Minute)
	wants("after that", map[string]string{"shared": hOne, "one": hOne}, hOne)

	second := proved(t, s, z, tenant, two)
	wants("with two hosts", map[string]string{"shared": hOne, "one": hOne, "two": hOne}, hOne)
	_, err := s.MakePrimary(t.Context(), by, second.ID)
	check(t, err)
	wants("moved", map[string]string{"shared": hTwo, "one": hOne, "two": hTwo}, hOne, hTwo)
	p.clock.advance(time.Minute)
	_, err = s.MakePrimary(t.Context(), by, first.ID)
	check(t, err)
	wants("moved back", map[string]string{"shared": hOne, "one": hOne, "two": hTwo}, hOne, hTwo)
	check(t, s.Remove(t.Context(), by, first.ID))
	wants("the first is given up", map[string]string{"shared": hTwo, "two": hTwo}, hOne, hTwo)
	check(t, s.Remove(t.Context(), by, second.ID))
	wants("both are", map[string]string{"shared": slug}, hOne, hTwo, slug)
	p.clock.advance(issuerGrace)
	wants("an hour later", map[string]string{"shared": slug}, slug)
	proved(t, s, z, tenant, newHost())
	if n := ask[int](t, p, "select count(*) from control.former_issuers where tenant_id = $1", tenant.ID); n != 1 {
		t.Errorf("%d former issuers are kept", n)
	}
}

func TestARenamedTenantsTokensStayGood(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.options.DomainSuffix = ""
	tenant, to := p.bare(t), newSlug()
	check(t, p.renamed(t, tenant, to))
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	a := Address{scheme: "https", shared: "id.example"}
	for slug, good := range map[Slug]bool{tenant.Slug: true, to: true, newSlug(): false} {
		if a.Issued(read, a.issuer("", slug), p.clock.now()) != good {
			t.Errorf("after %s became %s tokens of %s are good is %v", tenant.Slug, to, slug, !good)
		}
	}
}

func TestFormerIssuersAreBounded(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	by := Admitted{Tenant: tenant}
	keep := proved(t, s, z, tenant, newHost())
	for range maxFormerIssuers + 3 {
		d := proved(t, s, z, tenant, newHost())
		_, err := s.MakePrimary(t.Context(), by, d.ID)
		check(t, err)
		_, err = s.MakePrimary(t.Context(), by, keep.ID)
		check(t, err)
		check(t, s.Remove(t.Context(), by, d.ID))
		p.clock.advance(time.Second)
	}
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	if len(read.FormerIssuers) != maxFormerIssuers || !slices.ContainsFunc(read.FormerIssuers, func(f FormerIssuer) bool { return f.Host == keep.Domain }) {
		t.Errorf("%d former issuers: %v", len(read.FormerIssuers), read.FormerIssuers)
	}
}

// Two replicas make domains primary, remove and prove others, all at once: one domain is primary in the end, and no issuer that
// a token may name is forgotten.
func TestManyChangesOfThePrimaryDomainAtOnce(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	replicas := []*Domains{p.domains(z), assemble(t, p.Installation).domains(z)}
	s := replicas[0]
	tenant := p.bare(t)
	by := Admitted{Tenant: tenant}
	var have, next []Domain
	for range 4 {
		have = append(have, proved(t, s, z, tenant, newHost()))
		d := claimed(t, s, tenant, newHost())
		z.Publish(d.RecordName(), []string{d.RecordValue()})
		next = append(next, d)
	}
	inParallel(t, 12, func(i int) error {
		s, d := replicas[i%2], have[i%4]
		switch i / 4 {
		case 0:
			_, err := s.Verify(t.Context(), by, next[i%4].ID)
			return err
		case 1:
			if err := s.Remove(t.Context(), by, d.ID); d.ID == have[0].ID || d.ID == have[1].ID {
				return err
			}
			return nil
		default:
			if _, err := s.MakePrimary(t.Context(), by, d.ID); err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			return nil
		}
	})
	is := primary(t, p, tenant)
	if !slices.ContainsFunc(next, func(d Domain) bool { return d.Domain == is }) {
		t.Errorf("%q is primary", is)
	}
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	if !slices.ContainsFunc(read.FormerIssuers, func(f FormerIssuer) bool { return f.Slug == tenant.Slug }) ||
		!slices.ContainsFunc(read.FormerIssuers, func(f FormerIssuer) bool { return f.Host == have[0].Domain }) {
		t.Errorf("former issuers are %v", read.FormerIssuers)
	}
}
