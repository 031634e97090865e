package tenancy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	dnsserver "github.com/miekg/dns"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/zonetest"
)

// later is a round of looking up what is due, some time from now.
func (p *platform) later(t testing.TB, s *Domains, after time.Duration) {
	t.Helper()
	p.clock.advance(after)
	check(t, s.RecheckDue(t.Context()))
}

const (
	aDay  = 27 * time.Hour // or a little more: what is due in a day is
	aMiss = 70 * time.Minute
)

// stands fails the test unless the domain is in this state.
func stands(t testing.TB, s *Domains, d Domain, want DomainState, when string) Domain {
	t.Helper()
	is := stored(t, s, Tenant{ID: d.Tenant}, d.ID)
	if is.State() != want {
		t.Fatalf("%s: the domain is %s, want %s: %+v", when, is.State(), want, is)
	}
	return is
}

func TestADomainWhoseProofIsGoneIsLostAfterItsGrace(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	replicas := []*Directory{p.replica(t), p.replica(t)}
	for _, d := range replicas {
		listen(t, d)
	}
	tenant := p.bare(t)
	d := proved(t, s, z, tenant, newHost(), UseHost, UseEmail)
	next := proved(t, s, z, tenant, newHost())
	served := func(want bool, when string) {
		t.Helper()
		for i, r := range replicas {
			within(t, time.Second, when+": every replica has heard", func() bool {
				found, err := r.ByHost(t.Context(), d.Domain)
				if err != nil && !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				return (err == nil) == want && (!want || found.ID == tenant.ID)
			})
			if _, err := r.ByEmailDomain(t.Context(), d.Domain); (err == nil) != want {
				t.Errorf("%s: at replica %d as an e-mail domain: %v", when, i, err)
			}
		}
	}
	asked := z.Asked(d.RecordName())
	p.later(t, s, 0)
	if z.Asked(d.RecordName()) != asked {
		t.Error("it is looked up again at once")
	}
	before := *stands(t, s, d, DomainVerified, "proved").CheckedAt
	p.later(t, s, aDay)
	if is := stands(t, s, d, DomainVerified, "a day later"); !is.CheckedAt.After(before) || z.Asked(d.RecordName()) != asked+1 {
		t.Errorf("looked up %d times, %+v", z.Asked(d.RecordName())-asked, is)
	}

	z.Publish(d.RecordName(), []string{"something else"})
	p.later(t, s, aDay)
	since := *stands(t, s, d, DomainFailing, "another value").FailingSince
	served(true, "failing")
	o, err := s.Verify(t.Context(), Admitted{Tenant: tenant}, d.ID)
	if err != nil || !o.Verified {
		t.Errorf("asked for: %+v, %v", o, err)
	}
	z.Withdraw(d.RecordName())
	p.later(t, s, aMiss)
	if is := stands(t, s, d, DomainFailing, "no value"); !is.FailingSince.Equal(since) {
		t.Errorf("failing since %v became since %v", since, is.FailingSince)
	}
	z.Publish(d.RecordName(), []string{d.RecordValue()})
	p.later(t, s, aMiss)
	if is := stands(t, s, d, DomainVerified, "put back"); is.misses != 0 || !is.VerifiedAt.Equal(*d.VerifiedAt) {
		t.Errorf("put back: %+v", is)
	}

	z.Withdraw(d.RecordName())
	p.later(t, s, aDay)
	since = *stands(t, s, d, DomainFailing, "gone again").FailingSince
	for p.clock.now().Before(since.Add(s.Grace - aMiss)) {
		p.later(t, s, aMiss)
	}
	stands(t, s, d, DomainFailing, "at the end of its grace")
	served(true, "at the end of its grace")
	if got := primary(t, p, tenant); got != d.Domain {
		t.Errorf("%q is primary", got)
	}
	p.later(t, s, aMiss)
	p.later(t, s, aMiss)
	if is := stands(t, s, d, DomainLost, "after its grace"); is.Primary || is.VerifiedAt != nil || is.FailingSince != nil {
		t.Errorf("lost: %+v", is)
	}
	served(false, "lost")
	if got := primary(t, p, tenant); got != next.Domain {
		t.Errorf("%q is primary now", got)
	}
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	if !slices.ContainsFunc(read.FormerIssuers, func(f FormerIssuer) bool { return f.Host == d.Domain }) {
		t.Errorf("its issuer is forgotten: %v", read.FormerIssuers)
	}
	asked = z.Asked(d.RecordName())
	p.later(t, s, aDay)
	if z.Asked(d.RecordName()) != asked {
		t.Error("what is lost is looked up")
	}
	z.Publish(d.RecordName(), []string{d.RecordValue()})
	if o := outcome(t, s, d); !o.Verified {
		t.Errorf("proved again: %+v", o)
	}
	stands(t, s, d, DomainVerified, "proved again")
	served(true, "proved again")
}

func TestDNSThatDoesNotAnswerSaysNothing(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	for what, fails := range map[string]func(name string){
		"the server fails":   func(name string) { z.Fail(name, dnsserver.RcodeServerFailure) },
		"the server refuses": func(name string) { z.Fail(name, dnsserver.RcodeRefused) },
		"it is silent":       z.Silence,
	} {
		d := proved(t, s, z, tenant, newHost())
		fails(d.RecordName())
		for range 5 {
			p.later(t, s, aDay)
		}
		if is := stands(t, s, d, DomainVerified, what); !is.CheckedAt.Equal(*d.CheckedAt) {
			t.Errorf("%s: it counts as an answer", what)
		}
		z.Withdraw(d.RecordName())
		for range 3 {
			p.later(t, s, aMiss)
		}
		since := *stands(t, s, d, DomainFailing, what+", then the record is gone").FailingSince
		fails(d.RecordName())
		p.later(t, s, s.Grace+aDay)
		if is := stands(t, s, d, DomainFailing, what+" when the grace is over"); !is.FailingSince.Equal(since) {
			t.Errorf("%s: failing since %v, and before since %v", what, is.FailingSince, since)
		}
		z.Withdraw(d.RecordName())
		p.later(t, s, aMiss)
		stands(t, s, d, DomainLost, what+", then it answers again")
	}
}

// A service that was away for longer than the grace looks more than once before it takes a domain away.
func TestADomainIsNotLostAtFirstSight(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	d := proved(t, s, z, p.bare(t), newHost())
	z.Withdraw(d.RecordName())
	for i, want := range []DomainState{DomainFailing, DomainFailing, DomainLost} {
		p.later(t, s, s.Grace+aDay)
		stands(t, s, d, want, "look "+string(rune('1'+i)))
	}
}

func TestWhatNobodyHasToProveIsNotLookedUp(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	s.Unproved = "localhost"
	given := p.tenant(t)
	local := claimed(t, s, given, Host("a"+string(newHost())+".localhost"))
	if o := outcome(t, s, local); !o.Verified {
		t.Fatal(o.Message)
	}
	p.do(t, "update control.domains set next_check_at = '-infinity' where domain = $1", given.PrimaryDomain) // given by an older version
	for range 5 {
		p.later(t, s, aDay)
	}
	for _, h := range []Host{given.PrimaryDomain, local.Domain} {
		if n := z.Asked(Domain{Domain: h}.RecordName()); n != 0 {
			t.Errorf("%s was looked up %d times", h, n)
		}
		if n := ask[int](t, p, "select count(*) from control.domains where domain = $1 and verified_at is not null and next_check_at = 'infinity'", h); n != 1 {
			t.Errorf("%s will be looked up", h)
		}
	}
}

func TestTwoReplicasShareTheLookups(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	replicas := []*Domains{p.domains(z), assemble(t, p.Installation).domains(z)}
	s := replicas[0]
	replicas[1].Now = p.clock.now
	tenants := []Tenant{p.bare(t), p.bare(t)}
	var all []Domain
	for i := range checksLeased + 12 {
		d := proved(t, s, z, tenants[i%2], newHost())
		if i%3 == 0 {
			z.Withdraw(d.RecordName())
		}
		all = append(all, d)
	}
	p.clock.advance(aDay)
	inParallel(t, 4, func(i int) error { return replicas[i%2].RecheckDue(t.Context()) })
	for i, d := range all {
		if n := z.Asked(d.RecordName()); n != 2 { // to prove it, and now
			t.Errorf("%s was looked up %d times", d.Domain, n)
		}
		if is := stored(t, s, tenants[i%2], d.ID); (is.State() == DomainFailing) != (i%3 == 0) || is.misses > 1 {
			t.Errorf("%+v", is)
		}
	}
}

// The process is killed between its turn and what it would have written.
func TestALookupOfAProcessThatDiedIsDoneByAnother(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	d := proved(t, s, z, p.bare(t), newHost())
	p.clock.advance(aDay)
	due, err := s.lease(t.Context())
	if err != nil || len(due) != 1 {
		t.Fatalf("%d are due, %v", len(due), err)
	}
	asked := z.Asked(d.RecordName())
	p.later(t, s, checkLease/2)
	if z.Asked(d.RecordName()) != asked {
		t.Error("it is looked up by two")
	}
	p.later(t, s, checkLease)
	if z.Asked(d.RecordName()) != asked+1 || !stands(t, s, d, DomainVerified, "after the lease").CheckedAt.After(*d.CheckedAt) {
		t.Error("it is looked up by nobody")
	}
}

// What was seen before the tenant put its proof back is written down after it.
func TestAnOldLookupChangesNothing(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	by := Admitted{Tenant: tenant}
	d := proved(t, s, z, tenant, newHost())
	z.Withdraw(d.RecordName())
	for range 2 {
		p.later(t, s, s.Grace+aDay)
	}
	p.clock.advance(aMiss)
	due, err := s.lease(t.Context())
	if err != nil || len(due) != 1 {
		t.Fatalf("%d are due, %v", len(due), err)
	}
	z.Publish(d.RecordName(), []string{d.RecordValue()})
	if o := outcome(t, s, d); !o.Verified || o.Message != isVerified {
		t.Errorf("put back: %+v", o)
	}
	check(t, s.note(t.Context(), due[0], absent))
	stands(t, s, d, DomainVerified, "after the old lookup")

	p.clock.advance(aDay)
	due, err = s.lease(t.Context())
	check(t, err)
	check(t, s.Remove(t.Context(), by, d.ID))
	for _, seen := range []evidence{unsure, found, absent, another} {
		check(t, s.note(t.Context(), due[0], seen))
	}
	if all, err := s.List(t.Context(), tenant, id.Domain{}, 10); err != nil || len(all) != 0 {
		t.Errorf("after its removal: %v, %v", all, err)
	}
}

func TestAnotherTenantHasADomainOnlyAfterTheFirstLostIt(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	one, other := p.bare(t), p.bare(t)
	h := newHost()
	theirs := claimed(t, s, other, h)
	d := proved(t, s, z, one, h)
	z.Publish(d.RecordName(), []string{theirs.RecordValue()})
	for range 2 {
		p.later(t, s, s.Grace+aDay)
		if _, err := s.Verify(t.Context(), Admitted{Tenant: other}, theirs.ID); codeOf(err) != "domain_taken" {
			t.Fatalf("while the first has it: %v", err)
		}
	}
	// The last lookup and the other's proof at once, many times over by two replicas: never do both have it.
	inParallel(t, 6, func(i int) error {
		if i%2 == 0 {
			_, err := s.Verify(t.Context(), Admitted{Tenant: other}, theirs.ID)
			if err != nil && codeOf(err) != "domain_taken" {
				return err
			}
			return nil
		}
		if i == 1 {
			p.clock.advance(aMiss)
		}
		return s.RecheckDue(t.Context())
	})
	p.later(t, s, aMiss)
	stands(t, s, d, DomainLost, "the record is the other's")
	if o := outcome(t, s, theirs); !o.Verified {
		t.Fatalf("the other: %+v", o)
	}
	if found, err := p.directory.ByHost(t.Context(), h); err != nil || found.ID != other.ID {
		t.Errorf("the host leads to %v, %v", found.Slug, err)
	}
	z.Publish(d.RecordName(), []string{d.RecordValue()})
	if _, err := s.Verify(t.Context(), Admitted{Tenant: one}, d.ID); codeOf(err) != "domain_taken" {
		t.Errorf("the first puts its record back: %v", err)
	}
}

func TestRecheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	d := proved(t, s, z, p.bare(t), newHost())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Recheck(ctx, p.options.Log, 10*time.Millisecond) }()
	p.clock.advance(aDay)
	within(t, 10*time.Second, "it is looked up", func() bool {
		return stored(t, s, Tenant{ID: d.Tenant}, d.ID).CheckedAt.After(*d.CheckedAt)
	})
	cancel()
	<-ended
}
