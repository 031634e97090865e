package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/zonetest"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// A tenant's administrators are written to when the proof of a domain goes and when the domain does: each of them, once, in
// their language, and nobody else.
func TestAdministratorsAreToldOfADomainThatIsLost(t *testing.T) {
	t.Parallel()
	z, c := zonetest.Start(t), &clock{began: time.Now()}
	in := tenancytest.Install(t)
	var mailing mailConfig
	on := func(cfg *config) {
		mailing = cfg.Mail
		c.runs(cfg)
		cfg.Mail, cfg.DNSServer = mailing, z.Address
	}
	tp := startOn(t, in, on)
	tt := tp.newTenant(t)
	ada, _ := tt.newUser(t, "admin")
	bert, _ := tt.newUser(t, "admin", "user")
	carl, _ := tt.newUser(t)
	token := tt.login(t, bert, goodPassword).want(t, 200, "").text("token")
	tt.at(t, "PUT", "/v1/users/me/preferences", request{bearer: token, body: jsonBody{"locale": "de"}}).want(t, 200, "")

	name := uniqueName() + ".example"
	claim := tt.at(t, "POST", "/v1/domains", request{key: tt.key, body: jsonBody{"domain": name}}).want(t, 201, "")
	domain := "/v1/domains/" + claim.text("id")
	z.Publish(claim.text("dns_record"), []string{claim.text("dns_value")})
	tt.at(t, "POST", domain+"/verify", request{key: tt.key}).want(t, 200, "")
	tt.at(t, "POST", domain+"/primary", request{key: tt.key}).want(t, 200, "")
	z.Withdraw(claim.text("dns_record"))

	state := func() (state, failing any) {
		for _, d := range tt.at(t, "GET", "/v1/domains", request{key: tt.key}).want(t, 200, "").data(t) {
			if d["domain"] == name {
				return d["state"], d["failing_since"]
			}
		}
		return nil, nil
	}
	look := func(after time.Duration) {
		t.Helper()
		c.advance(after)
		if err := tp.domains.RecheckDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, after := range []time.Duration{27 * time.Hour, 2 * time.Hour, 2 * time.Hour} {
		look(after)
		if s, since := state(); s != "failing" || since == nil {
			t.Fatalf("look %d: the domain is %v since %v", i+1, s, since)
		}
	}
	again := tt.at(t, "POST", domain+"/verify", request{key: tt.key}).want(t, 200, "")
	if again.field("verified") != true || !strings.Contains(again.text("message"), "stays verified until") {
		t.Errorf("verified again: %s", again.body)
	}
	subjects := func(to string) (all []string) {
		for _, m := range tp.mails.Mails(to) {
			all = append(all, m.Subject)
		}
		return all
	}
	// Sent before the clock goes on: a mail that waited for three days is not sent any more.
	eventually(t, 30*time.Second, "both are warned", func() bool { return len(subjects(ada)) == 1 && len(subjects(bert)) == 1 })
	look(tenancy.DefaultGrace)
	if s, _ := state(); s != "lost" {
		t.Fatalf("the domain is %v", s)
	}
	eventually(t, 10*time.Second, "the host is nobody's", func() bool {
		return tp.do(t, request{method: "GET", host: name, path: "/v1/auth/providers"}).status == 404
	})
	tt.issuerIs(t, tt.issuer())

	for to, want := range map[string][]string{
		ada:  {name + " is about to be lost for Test", name + " is lost for Test"},
		bert: {name + " geht Test bald verloren", name + " ist Test verloren gegangen"},
		carl: nil,
	} {
		eventually(t, 30*time.Second, "the mails to "+to, func() bool { return len(subjects(to)) >= len(want) })
		if got := subjects(to); !slices.Equal(got, want) {
			t.Errorf("mails to %s: %q, want %q", to, got, want)
		}
	}
	for _, m := range tp.mails.Mails(ada) {
		if !strings.Contains(m.Text, claim.text("dns_record")) || !strings.Contains(m.Text, claim.text("dns_value")) || !strings.Contains(m.HTML, claim.text("dns_value")) {
			t.Errorf("it does not say which record: %s", m.Text)
		}
	}
	got := tt.actions(t, url.Values{"resource_id": {claim.text("id")}})
	if want := []string{"domain.added", "domain.verified", "domain.made_primary", "domain.failing", "domain.lost"}; !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}

	z.Publish(claim.text("dns_record"), []string{claim.text("dns_value")})
	tt.at(t, "POST", domain+"/verify", request{key: tt.key}).want(t, 200, "")
	if s, _ := state(); s != "verified" {
		t.Errorf("proved again it is %v", s)
	}
}
