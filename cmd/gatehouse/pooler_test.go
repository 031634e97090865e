package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// throughPooler changes a configuration so that requests are served through PgBouncer, with three server connections.
func throughPooler(tb testing.TB, in tenancytest.Installation) func(*config) {
	tb.Helper()
	through := testenv.PgBouncer(tb, in.RuntimeURL, 3)
	return func(c *config) { c.DatabaseURL, c.DatabaseDirectURL = secret(through), secret(in.RuntimeURL) }
}

// TestThePlatformServesThroughPgBouncer: two replicas behind one, sharing by transaction what is fewer than either's pool.
func TestThePlatformServesThroughPgBouncer(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	pooler := throughPooler(t, in)
	tp := startOn(t, in, pooler)
	still := time.Now()
	other := startOn(t, in, func(c *config) {
		pooler(c)
		c.now = func() time.Time { return still } // nothing it remembers grows old: what it knows better, it has heard
	})
	for _, replica := range []*testPlatform{tp, other} {
		if err := replica.checkDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if said := replica.misled(t.Context()); len(said) > 0 {
			t.Error(said)
		}
	}
	acme, globex := tp.newTenant(t), tp.newTenant(t)

	// Sign-ins and their tokens, of two tenants by turns.
	inTurn := []testTenant{acme, globex}
	for i := range 3 {
		tt := inTurn[i%2]
		email, _ := tt.newUser(t)
		a := tt.login(t, email, goodPassword).want(t, 200, "")
		next := tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
		if got := tt.profile(t, next.text("token")); got != http.StatusOK {
			t.Errorf("with the token the profile is answered with %d", got)
		}
		inTurn[(i+1)%2].refresh(t, next.text("refresh_token")).want(t, 403, "tenant_mismatch")
	}

	// A second factor.
	u := acme.enrolledUser(t)
	acme.prove(t, u.challenge(t), "totp", u.app.code(t, 1)).want(t, 200, "")

	// A creating call that is repeated is done once, by either replica.
	again := request{key: acme.key, header: map[string]string{"Idempotency-Key": "through-the-pooler"}, body: jsonBody{"email": "once@people.example", "name": "Once"}}
	first := acme.at(t, "POST", "/v1/users", again).want(t, 201, "")
	onOther := acme
	onOther.testPlatform = other
	if second := onOther.at(t, "POST", "/v1/users", again).want(t, 201, ""); second.text("id") != first.text("id") {
		t.Errorf("repeated it made %s beside %s", second.text("id"), first.text("id"))
	}

	// Mails: jobs are worked around the pooler.
	mails := func() int {
		return len(tp.mails.Mails("once@people.example")) + len(other.mails.Mails("once@people.example"))
	}
	eventually(t, 30*time.Second, "the mail is sent", func() bool { return mails() > 0 })

	// A domain that the other replica has just found to be nobody's.
	host := strings.ToLower(uniqueName()) + ".localhost"
	find := func() int {
		return other.do(t, request{method: "GET", host: host, path: "/.well-known/openid-configuration"}).status
	}
	if got := find(); got != http.StatusNotFound {
		t.Fatalf("a domain nobody has is answered with %d", got)
	}
	id := acme.at(t, "POST", "/v1/domains", request{key: acme.key, body: jsonBody{"domain": host}}).want(t, 201, "").text("id")
	acme.at(t, "POST", "/v1/domains/"+id+"/verify", request{key: acme.key}).want(t, 200, "")
	eventually(t, 30*time.Second, "the other replica hears of the domain", func() bool { return find() == http.StatusOK })
}

// TestServeRefusesAPoolerWhereItNeedsASession: in a sentence that names the setting, and doctor says the same.
func TestServeRefusesAPoolerWhereItNeedsASession(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	through, provisioner := testenv.PgBouncer(t, in.RuntimeURL, 2), testenv.PgBouncer(t, in.ProvisionerURL, 2)
	settings := serveSettings(in, freeListen(t))
	for said, changes := range map[string][]string{
		"GATEHOUSE_DATABASE_URL leads through a connection pooler, so GATEHOUSE_DATABASE_DIRECT_URL must name the server itself": {"GATEHOUSE_DATABASE_URL=" + through},
		"GATEHOUSE_DATABASE_DIRECT_URL leads through a connection pooler":                                                        {"GATEHOUSE_DATABASE_DIRECT_URL=" + through},
		"GATEHOUSE_PROVISIONER_DATABASE_URL leads through a connection pooler":                                                   {"GATEHOUSE_PROVISIONER_DATABASE_URL=" + provisioner},
	} {
		for _, command := range []string{"serve", "doctor"} {
			p := launch(t, environment(settings, changes...), command)
			if code := p.wait(); code == 0 {
				t.Errorf("%s: exit code 0 with %s", command, said)
			}
			if all := p.stdout.String() + p.stderr.String(); !strings.Contains(all, said) || strings.Contains(all, passwordIn(t, in.RuntimeURL)) {
				t.Errorf("%s does not say %q, or too much: %s", command, said, all)
			}
		}
	}
	well := launch(t, environment(settings, "GATEHOUSE_DATABASE_URL="+through, "GATEHOUSE_DATABASE_DIRECT_URL="+in.RuntimeURL), "doctor")
	if code := well.wait(); code != 0 {
		t.Errorf("doctor with both URLs: exit code %d: %s", code, well.stdout.String())
	}
}
