package tenancy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	dnsserver "github.com/miekg/dns"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/zonetest"
)

// domains is a service of domains that asks the zone.
func (p *platform) domains(z *zonetest.Zone) *Domains {
	return NewDomains(DomainsOptions{DB: p.db, Repeat: p.repeat, DNS: NewTXT(z.Address), Platform: []Host{"id.example", "tenants.example"}, Now: p.clock.now})
}

// claimed is a domain that the tenant has claimed.
func claimed(t testing.TB, s *Domains, tenant Tenant, h Host, uses ...Use) (d Domain) {
	t.Helper()
	if len(uses) == 0 {
		uses = []Use{UseHost}
	}
	_, err := s.Claim(t.Context(), tenant, Operation{}, h, uses, func(made Domain) any { d = made; return nil })
	check(t, err)
	return d
}

// proved is a domain that the tenant has claimed and proved.
func proved(t testing.TB, s *Domains, z *zonetest.Zone, tenant Tenant, h Host, uses ...Use) Domain {
	t.Helper()
	d := claimed(t, s, tenant, h, uses...)
	z.Publish(d.RecordName(), []string{d.RecordValue()})
	o, err := s.Verify(t.Context(), Admitted{Tenant: tenant}, d.ID)
	check(t, err)
	if !o.Verified {
		t.Fatal(o.Message)
	}
	return stored(t, s, tenant, d.ID)
}

// stored is the domain as the directory has it; the zero Domain if it has none.
func stored(t testing.TB, s *Domains, tenant Tenant, d id.Domain) Domain {
	t.Helper()
	all, err := s.List(t.Context(), tenant, id.Domain{}, 250)
	check(t, err)
	for _, found := range all {
		if found.ID == d {
			return found
		}
	}
	return Domain{}
}

// primary is the name that the tenant's directory entry and its domains call primary; there must be one answer.
func primary(t testing.TB, p *platform, tenant Tenant) Host {
	t.Helper()
	read, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	marked := ask[[]string](t, p, "select coalesce(array_agg(domain), '{}') from control.domains where tenant_id = $1 and is_primary", tenant.ID)
	if len(marked) > 1 || (len(marked) == 1) != (read.PrimaryDomain != "") || (len(marked) == 1 && Host(marked[0]) != read.PrimaryDomain) {
		t.Fatalf("the directory says %q, the domains %v", read.PrimaryDomain, marked)
	}
	return read.PrimaryDomain
}

// bare is a tenant without a domain, beside others in an installation.
func (p *platform) bare(t testing.TB) Tenant {
	t.Helper()
	o := p.options
	o.DomainSuffix = ""
	c, err := NewProvisioner(o).Create(t.Context(), wanted())
	check(t, err)
	return c.Tenant
}

func TestWhatDNSSaysDecides(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	filler := make([][]string, 20)
	for i := range filler {
		filler[i] = []string{fmt.Sprintf("site-verification-%d=%s", i, strings.Repeat("x", 100))}
	}
	for what, c := range map[string]struct {
		publish func(d Domain)
		want    string // in the message; empty: proved
	}{
		"the name does not exist":        {func(Domain) {}, "no TXT record"},
		"the name has no TXT record":     {func(d Domain) { z.Publish(d.RecordName()) }, "no TXT record"},
		"another value":                  {func(d Domain) { z.Publish(d.RecordName(), []string{"something else"}) }, "another value"},
		"the token alone":                {func(d Domain) { z.Publish(d.RecordName(), []string{d.VerificationToken}) }, "another value"},
		"the token in lower case":        {func(d Domain) { z.Publish(d.RecordName(), []string{strings.ToLower(d.RecordValue())}) }, "another value"},
		"the value and more":             {func(d Domain) { z.Publish(d.RecordName(), []string{d.RecordValue() + " x"}) }, "another value"},
		"an empty value":                 {func(d Domain) { z.Publish(d.RecordName(), []string{""}) }, "another value"},
		"halves in two records":          {func(d Domain) { v := d.RecordValue(); z.Publish(d.RecordName(), []string{v[:10]}, []string{v[10:]}) }, "another value"},
		"the value at the domain itself": {func(d Domain) { z.Publish(string(d.Domain), []string{d.RecordValue()}) }, "no TXT record"},
		"the value at the parent":        {func(d Domain) { z.Publish("_gatehouse-challenge.example.com", []string{d.RecordValue()}) }, "no TXT record"},
		"the server fails":               {func(d Domain) { z.Fail(d.RecordName(), dnsserver.RcodeServerFailure) }, "did not answer"},
		"the server refuses":             {func(d Domain) { z.Fail(d.RecordName(), dnsserver.RcodeRefused) }, "did not answer"},
		"the server is silent":           {func(d Domain) { z.Silence(d.RecordName()) }, "did not answer"},
		"the value":                      {func(d Domain) { z.Publish(d.RecordName(), []string{d.RecordValue()}) }, ""},
		"the value in two strings":       {func(d Domain) { v := d.RecordValue(); z.Publish(d.RecordName(), []string{v[:10], v[10:]}) }, ""},
		"the value among others": {func(d Domain) {
			z.Publish(d.RecordName(), []string{"other"}, []string{d.RecordValue()}, []string{"another"})
		}, ""},
		"the value behind a CNAME": {func(d Domain) {
			z.Alias(d.RecordName(), "proofs."+string(d.Domain))
			z.Publish("proofs."+string(d.Domain), []string{d.RecordValue()})
		}, ""},
		"a CNAME to nowhere": {func(d Domain) { z.Alias(d.RecordName(), "nowhere."+string(d.Domain)) }, "no TXT record"},
		"an answer too long for a packet": {func(d Domain) {
			z.Publish(d.RecordName(), append(slices.Clone(filler), []string{d.RecordValue()})...)
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := claimed(t, s, tenant, newHost())
			c.publish(d)
			o := outcome(t, s, d)
			if o.Verified != (c.want == "") || !strings.Contains(o.Message, c.want) {
				t.Errorf("%+v", o)
			}
			if !o.Verified && !strings.Contains(o.Message, d.RecordName()) {
				t.Errorf("%q does not say where to put the record", o.Message)
			}
			if got := stored(t, s, tenant, d.ID); (got.VerifiedAt != nil) != o.Verified {
				t.Errorf("told %v, and kept is %+v", o.Verified, got)
			}
			found, err := p.directory.ByHost(t.Context(), d.Domain)
			if o.Verified && (err != nil || found.ID != tenant.ID) || !o.Verified && !errors.Is(err, ErrUnknown) {
				t.Errorf("the host leads to %v, %v", found.ID, err)
			}
		})
	}
}

// outcome verifies and holds the time against what a client waits.
func outcome(t *testing.T, s *Domains, d Domain) Outcome {
	t.Helper()
	began := time.Now()
	o, err := s.Verify(t.Context(), Admitted{Tenant: Tenant{ID: d.Tenant}}, d.ID)
	check(t, err)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	return o
}

func TestADNSServerThatIsDownIsAnOutcome(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.bare(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	for what, address := range map[string]string{"nobody listens": "127.0.0.1:1", "nobody answers": silent.LocalAddr().String(), "its name is unknown": "dns.invalid:53"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := p.domains(&zonetest.Zone{Address: address})
			if o := outcome(t, s, claimed(t, s, tenant, newHost())); o.Verified || !strings.Contains(o.Message, "did not answer") {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestAProvedDomainStaysProved(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	d := proved(t, s, z, tenant, newHost())
	z.Fail(d.RecordName(), dnsserver.RcodeNameError) // nobody asks again
	p.clock.advance(time.Hour)
	if o := outcome(t, s, d); !o.Verified {
		t.Errorf("%+v", o)
	}
	if again := stored(t, s, tenant, d.ID); !again.VerifiedAt.Equal(*d.VerifiedAt) {
		t.Errorf("proved at %v and again at %v", d.VerifiedAt, again.VerifiedAt)
	}
}

func TestOneOfTwoTenantsProvesADomain(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenants := []Tenant{p.bare(t), p.bare(t)}
	for range 8 {
		h := newHost()
		d := []Domain{claimed(t, s, tenants[0], h), claimed(t, s, tenants[1], h)}
		z.Publish(d[0].RecordName(), []string{d[0].RecordValue()}, []string{d[1].RecordValue()})
		codes := make([]string, 2)
		inParallel(t, 2, func(i int) error {
			_, err := s.Verify(t.Context(), Admitted{Tenant: tenants[i]}, d[i].ID)
			codes[i] = codeOf(err)
			return nil
		})
		winner := slices.Index(codes, "ok")
		if slices.Sort(codes); !slices.Equal(codes, []string{"domain_taken", "ok"}) {
			t.Fatalf("%v", codes)
		}
		if found, err := p.directory.ByHost(t.Context(), h); err != nil || found.ID != tenants[winner].ID {
			t.Errorf("the host leads to %v, %v", found.Slug, err)
		}
		if _, err := s.Verify(t.Context(), Admitted{Tenant: tenants[1-winner]}, d[1-winner].ID); codeOf(err) != "domain_taken" {
			t.Errorf("the loser tries again: %v", err)
		}
		check(t, s.Remove(t.Context(), Admitted{Tenant: tenants[winner]}, d[winner].ID))
		o, err := s.Verify(t.Context(), Admitted{Tenant: tenants[1-winner]}, d[1-winner].ID)
		if err != nil || !o.Verified {
			t.Errorf("given up by one, the other cannot prove it: %+v, %v", o, err)
		}
	}
}

func TestManyDomainsProvedAtOnceMakeOnePrimary(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	all := make([]Domain, 6)
	for i := range all {
		all[i] = claimed(t, s, tenant, newHost())
		z.Publish(all[i].RecordName(), []string{all[i].RecordValue()})
	}
	inParallel(t, len(all), func(i int) error {
		o, err := s.Verify(t.Context(), Admitted{Tenant: tenant}, all[i].ID)
		if err == nil && !o.Verified {
			err = errors.New(o.Message)
		}
		return err
	})
	if primary(t, p, tenant) == "" {
		t.Error("none is primary")
	}
}

// TestADomainProvedWhileThePrimaryIsRemovedTakesItsPlace: the removal has not committed when the proof is found.
func TestADomainProvedWhileThePrimaryIsRemovedTakesItsPlace(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	old, next := proved(t, s, z, tenant, newHost()), claimed(t, s, tenant, newHost())
	z.Publish(next.RecordName(), []string{next.RecordValue()})
	verified := make(chan error, 1)
	watcher := p.behind(t)
	check(t, s.change(t.Context(), tenant.ID, Actor{}, func(ctx context.Context, tx directoryTx, _ *entries) error {
		if _, err := deleteDomain(ctx, tx, tenant.ID, old.ID); err != nil {
			return err
		}
		go func() { _, err := s.Verify(t.Context(), Admitted{Tenant: tenant}, next.ID); verified <- err }()
		within(t, time.Second, "the proof is written or waits", func() bool {
			var waits bool
			check(t, watcher.QueryRow(ctx, "select exists (select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()))").Scan(&waits))
			return waits || len(verified) > 0
		})
		return nil
	}))
	check(t, <-verified)
	if got := primary(t, p, tenant); got != next.Domain {
		t.Errorf("%q is primary, want %q", got, next.Domain)
	}
}

func TestThePrimaryDomainIsSucceededByTheOldestOtherHost(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	mail := proved(t, s, z, tenant, newHost(), UseEmail)
	if got := primary(t, p, tenant); got != "" {
		t.Errorf("%q is primary and no host", got)
	}
	first := proved(t, s, z, tenant, newHost())
	p.clock.advance(time.Minute)
	claimed(t, s, tenant, newHost()) // never proved
	third := proved(t, s, z, tenant, newHost(), UseEmail, UseHost)
	p.clock.advance(-30 * time.Second)
	second := proved(t, s, z, tenant, newHost())
	for _, step := range []struct{ remove, primary Host }{{"", first.Domain}, {mail.Domain, first.Domain}, {first.Domain, second.Domain}, {third.Domain, second.Domain}, {second.Domain, ""}} {
		for _, d := range []Domain{mail, first, second, third} {
			if d.Domain == step.remove {
				check(t, s.Remove(t.Context(), Admitted{Tenant: tenant}, d.ID))
			}
		}
		if got := primary(t, p, tenant); got != step.primary {
			t.Errorf("without %q %q is primary, want %q", step.remove, got, step.primary)
		}
	}
	if _, err := p.directory.ByHost(t.Context(), first.Domain); !errors.Is(err, ErrUnknown) {
		t.Errorf("a removed host: %v", err)
	}
}

func TestADomainServesWhatItWasProvedFor(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	for _, uses := range [][]Use{{UseHost}, {UseEmail}, {UseHost, UseEmail}} {
		d := proved(t, s, z, tenant, newHost(), uses...)
		_, host := p.directory.ByHost(t.Context(), d.Domain)
		_, email := p.directory.ByEmailDomain(t.Context(), d.Domain)
		if (host == nil) != slices.Contains(uses, UseHost) || (email == nil) != slices.Contains(uses, UseEmail) {
			t.Errorf("%v: as a host %v, as an e-mail domain %v", uses, host, email)
		}
	}
}

func TestNobodyClaimsAPlatformsName(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	for _, h := range []Host{"id.example", "login.id.example", "a.b.id.example", "tenants.example", "acme.tenants.example"} {
		if _, err := s.Claim(t.Context(), tenant, Operation{}, h, []Use{UseHost}, func(Domain) any { return nil }); codeOf(err) != "invalid_request" {
			t.Errorf("%s: %v", h, err)
		}
	}
	for _, h := range []Host{"notid.example", "id.example.com", "xid.example"} {
		claimed(t, s, tenant, h)
	}
	above := *s
	above.Platform = []Host{"id.eu.corp.example"}
	for uses, code := range map[*[]Use]string{{UseHost}: "invalid_request", {UseEmail, UseHost}: "invalid_request", {UseEmail}: "ok"} {
		for _, h := range []Host{"eu.corp.example", "corp.example"} {
			if _, err := above.Claim(t.Context(), tenant, Operation{}, h, *uses, func(Domain) any { return nil }); codeOf(err) != code {
				t.Errorf("%s, above the platform's host, for %v: %v", h, *uses, err)
			}
		}
	}
	claimed(t, &above, tenant, "us.corp.example")
	dev := *s
	dev.Platform, dev.Unproved = []Host{"localhost"}, "localhost"
	if _, err := dev.Claim(t.Context(), tenant, Operation{}, "localhost", []Use{UseHost}, func(Domain) any { return nil }); codeOf(err) != "invalid_request" {
		t.Errorf("localhost: %v", err)
	}
	if o := outcome(t, &dev, claimed(t, &dev, tenant, "shop.localhost")); !o.Verified {
		t.Errorf("below localhost: %+v", o)
	}
}

func TestANameIsTakenOnceItIsProved(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	one, other := p.bare(t), p.bare(t)
	claim := func(tenant Tenant, h Host) string {
		_, err := s.Claim(t.Context(), tenant, Operation{}, h, []Use{UseHost}, func(Domain) any { return nil })
		return codeOf(err)
	}
	h := newHost()
	if code := claim(one, h); code != "ok" {
		t.Fatal(code)
	}
	if code := claim(one, h); code != "domain_taken" {
		t.Errorf("claimed twice by one: %s", code)
	}
	if code := claim(other, h); code != "ok" {
		t.Errorf("a claim alone keeps another tenant out: %s", code)
	}
	held := proved(t, s, z, one, newHost()).Domain
	if code := claim(other, held); code != "domain_taken" {
		t.Errorf("another's proved name: %s", code)
	}
}

func TestATenantClaimsAHundredDomains(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant, other := p.bare(t), p.bare(t)
	p.do(t, `insert into control.domains (id, tenant_id, domain, uses, verification_token, created_at)
		select gen_random_uuid(), $1, n || '.many.example', '{host}', '', now() from generate_series(1, 97) n`, tenant.ID)
	codes := make([]string, 6)
	inParallel(t, len(codes), func(i int) error {
		_, err := s.Claim(t.Context(), tenant, Operation{}, newHost(), []Use{UseHost}, func(Domain) any { return nil })
		codes[i] = codeOf(err)
		return nil
	})
	if slices.Sort(codes); !slices.Equal(codes, []string{"ok", "ok", "ok", "too_many_domains", "too_many_domains", "too_many_domains"}) {
		t.Errorf("six claims for three places: %v", codes)
	}
	claimed(t, s, other, newHost()) // whose limit is its own
}

// TestAClaimOfATenantThatIsDeletedUnderneath is told what the next request is.
func TestAClaimOfATenantThatIsDeletedUnderneath(t *testing.T) {
	t.Parallel()
	p, _ := withPlatform(t)
	tenant := p.tenant(t)
	_, err := p.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	_, err = p.domains(zonetest.Start(t)).Claim(t.Context(), tenant, Operation{}, newHost(), []Use{UseHost}, func(Domain) any { return nil })
	if codeOf(err) != "not_found" {
		t.Errorf("claiming for a deleted tenant: %v", err)
	}
}

func TestAnotherTenantsDomainIsUnknown(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	one, other := p.bare(t), p.bare(t)
	d := proved(t, s, z, one, newHost())
	for what, domain := range map[string]id.Domain{"another's": d.ID, "nobody's": id.NewDomain()} {
		if _, err := s.Verify(t.Context(), Admitted{Tenant: other}, domain); !errors.Is(err, ErrUnknown) {
			t.Errorf("verifying %s: %v", what, err)
		}
		if err := s.Remove(t.Context(), Admitted{Tenant: other}, domain); !errors.Is(err, ErrUnknown) {
			t.Errorf("removing %s: %v", what, err)
		}
	}
	if all, err := s.List(t.Context(), other, id.Domain{}, 250); err != nil || len(all) != 0 {
		t.Errorf("listed: %v, %v", all, err)
	}
	if stored(t, s, one, d.ID).VerifiedAt == nil {
		t.Error("it was touched")
	}
}

// post sends a body to a handler as a caller of the tenant.
func post(t testing.TB, h Handler, tenant Tenant, body string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	return w, h(w, r, Admitted{Tenant: tenant, Caller: "key 1"})
}

// badFields are the fields that an error tells to be bad.
func badFields(err error) map[string]string {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return nil
	}
	fields, _ := e.Details["fields"].(map[string]string)
	return fields
}

func TestADomainIsClaimedAsAPersonWritesIt(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	for written, want := range map[string]Host{
		"Login.Example.COM":      "login.example.com",
		"mail.example.com.":      "mail.example.com",
		"Bücher.example":         "xn--bcher-kva.example",
		"xn--mnchen-3ya.example": "xn--mnchen-3ya.example",
		"例え.example":             "xn--r8jz45g.example",
	} {
		w, err := post(t, s.claim, tenant, fmt.Sprintf(`{"domain":%q}`, written))
		check(t, err)
		var got domainBody
		check(t, json.Unmarshal(w.Body.Bytes(), &got))
		d := stored(t, s, tenant, got.ID)
		if got.Domain != want || got.DNSRecord != "_gatehouse-challenge."+string(want) || got.DNSValue != d.RecordValue() || got.Verified || got.Primary || !slices.Equal(got.Uses, []Use{UseHost}) {
			t.Errorf("%s: %s", written, w.Body)
		}
		z.Publish(got.DNSRecord, []string{got.DNSValue})
		if o := outcome(t, s, d); !o.Verified {
			t.Errorf("%s: %s", written, o.Message)
		}
	}
	if _, err := post(t, s.claim, tenant, `{"domain":"BÜCHER.example"}`); codeOf(err) != "domain_taken" {
		t.Errorf("another spelling of the same name: %v", err)
	}
}

func TestWhatIsNoDomainIsRefused(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	long := strings.Repeat(strings.Repeat("a", 49)+".", 5) // 250 characters: a name, but none is left for the record
	for body, want := range map[string][]string{
		`{}`:                                    {"domain"},
		`{"domain":""}`:                         {"domain"},
		`{"domain":"localhost"}`:                {"domain"},
		`{"domain":"127.0.0.1"}`:                {"domain"},
		`{"domain":"a..example"}`:               {"domain"},
		`{"domain":"a_b.example"}`:              {"domain"},
		`{"domain":"https://a.example"}`:        {"domain"},
		`{"domain":"a.example:443"}`:            {"domain"},
		`{"domain":"*.example.com"}`:            {"domain"},
		`{"domain":"xn--a.example"}`:            {"domain"},
		`{"domain":"co.uk","uses":["web"]}`:     {"domain", "uses"},
		`{"domain":"` + long + `ab"}`:           {"domain"},
		`{"domain":1,"uses":["web"]}`:           {"domain", "uses"},
		`{"domain":"a.example","uses":[]}`:      {"uses"},
		`{"domain":"a","uses":["host","smtp"]}`: {"domain", "uses"},
	} {
		_, err := post(t, s.claim, tenant, body)
		got := badFields(err)
		if len(got) != len(want) || codeOf(err) != "invalid_request" {
			t.Errorf("%s: %v", body, err)
		}
		for _, field := range want {
			if got[field] == "" {
				t.Errorf("%s: nothing is said of %s", body, field)
			}
		}
	}
	if all, err := s.List(t.Context(), tenant, id.Domain{}, 250); err != nil || len(all) != 0 {
		t.Errorf("claimed: %v, %v", all, err)
	}
}

func TestARepeatedClaimIsOneClaim(t *testing.T) {
	t.Parallel()
	p, z := newPlatform(t), zonetest.Start(t)
	s := p.domains(z)
	tenant := p.bare(t)
	h := newHost()
	op := Operation{Name: "POST /v1/domains", By: "key 1", Key: "k", Request: h}
	bodies := make([]string, 10)
	inParallel(t, len(bodies), func(i int) error {
		body, err := s.Claim(t.Context(), tenant, op, h, []Use{UseHost}, func(d Domain) any { return renderDomain(d) })
		bodies[i] = string(body)
		return err
	})
	for _, b := range bodies {
		if b != bodies[0] {
			t.Errorf("answered %s and %s", bodies[0], b)
		}
	}
	if all, err := s.List(t.Context(), tenant, id.Domain{}, 250); err != nil || len(all) != 1 {
		t.Errorf("%d claims, %v", len(all), err)
	}
}
