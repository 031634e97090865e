package main

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// platformActions are the platform's own entries about a tenant.
func (tp *testPlatform) platformActions(tb testing.TB, about string) (all []map[string]any) {
	tb.Helper()
	a := tp.do(tb, request{method: "GET", path: "/v1/audit-log?limit=250&resource_id=" + about, key: tp.platformKey}).want(tb, 200, "")
	for _, e := range a.field("data").([]any) {
		all = append(all, e.(map[string]any))
	}
	slices.Reverse(all)
	return all
}

func TestWhatHappensToDomainsIsInTheLogWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	by := asKey(tt.host, tt.key)
	name := "login." + tt.slug + ".localhost"
	claim := by("POST", "/v1/domains", jsonBody{"domain": name, "uses": []string{"host", "email"}}).once("a claim")
	domain := tt.do(t, claim).want(t, 201, "").text("id")
	tt.do(t, claim).want(t, 201, "") // sent again
	for range 2 {
		tt.do(t, by("POST", "/v1/domains/"+domain+"/verify", nil)).want(t, 200, "")
	}
	tt.do(t, by("DELETE", "/v1/domains/"+domain, nil)).want(t, 204, "")
	all := tt.events(t, url.Values{"resource_type": {"domain"}})
	if got, want := actionsOf(all), []string{"domain.added", "domain.verified", "domain.removed"}; !slices.Equal(got, want) {
		t.Fatalf("recorded are %q, want %q", got, want)
	}
	for _, e := range all {
		metadata := e["metadata"].(map[string]any)
		if e["actor_type"] != "api_key" || e["resource_id"] != domain || metadata["domain"] != name || metadata["request_id"] == nil {
			t.Errorf("an entry is %v", e)
		}
	}
	if n := tt.outbox(t); n != 0 {
		t.Errorf("%d entries are left in the outbox", n)
	}
}

// outbox is how many entries wait for the tenant's log.
func (tt testTenant) outbox(tb testing.TB) int {
	tb.Helper()
	return tt.count(tb, `select count(*) from control.audit_outbox where tenant_id = $1 or about = $1`, tt.id)
}

func TestWhatThePlatformDoesToATenantIsInBothLogs(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	by := asKey("", tp.platformKey)
	for range 2 {
		tp.do(t, by("PUT", "/v1/tenants/"+tt.id, jsonBody{"name": "Another Name"})).want(t, 200, "")
	}
	for _, active := range []bool{false, false, true} {
		tp.do(t, by("POST", "/v1/tenants/"+tt.id+"/suspend", jsonBody{"active": active})).want(t, 200, "")
	}
	want := []string{"tenant.created", "tenant.updated", "tenant.suspended", "tenant.resumed"}
	for whose, c := range map[string]struct {
		events []map[string]any
		actor  string
	}{"its own": {tt.events(t, url.Values{"resource_type": {"tenant"}}), "platform"}, "the platform's": {tp.platformActions(t, tt.id), "api_key"}} {
		if got := actionsOf(c.events); !slices.Equal(got, want) {
			t.Errorf("in %s log are %q, want %q", whose, got, want)
		}
		for _, e := range c.events {
			metadata := e["metadata"].(map[string]any)
			if told := metadata["network"] != nil || metadata["request_id"] != nil; told == (c.actor == "platform") {
				t.Errorf("in %s log it says of the request %v", whose, metadata)
			}
			if id, _ := e["actor_id"].(string); e["actor_type"] != c.actor || (id == "") != (c.actor == "platform") {
				t.Errorf("in %s log it was done by %v %v", whose, e["actor_type"], id)
			}
		}
	}
	if n := tt.outbox(t); n != 0 {
		t.Errorf("%d entries are left in the outbox", n)
	}
}

// A cause that is committed has its entry, whatever happens to the service right afterwards.
func TestAnEntryWhoseLogCouldNotBeReachedIsAddedLaterOnce(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	tt.exec(t, `alter table audit_log add constraint away check (false) not valid`)
	claim := asKey(tt.host, tt.key)("POST", "/v1/domains", jsonBody{"domain": "later." + tt.slug + ".localhost"})
	tt.do(t, claim).want(t, 201, "")
	if n := tt.outbox(t); n != 1 {
		t.Fatalf("%d entries in the outbox, want one", n)
	}
	tt.exec(t, `alter table audit_log drop constraint away`)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error { return tp.platform.outbox.DeliverAll(t.Context()) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the entry is delivered", func() bool { return tt.outbox(t) == 0 })
	if got := tt.actions(t, url.Values{"action": {"domain.added"}}); len(got) != 1 {
		t.Errorf("it is there %d times", len(got))
	}
}

func TestADraftedEntryIsAddedOnceByFiftyAtOnce(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tenant := tt.record(t)
	e := audit.Event{Action: "domain.added", Actor: audit.Actor{Type: audit.BySystem}, ResourceType: "domain", ResourceID: tt.id, At: time.Now()}
	_, text, err := audit.Ledger{}.Draft(t.Context(), tenant.ID, e)
	if err != nil {
		t.Fatal(err)
	}
	before := len(tt.chain(t))
	var group errgroup.Group
	for range 50 {
		group.Go(func() error {
			return tt.db.InTx(t.Context(), tenant, func(ctx context.Context, tx tenancy.Tx) error { return audit.Ledger{}.Append(ctx, tx, text) })
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := len(tt.chain(t)) - before; got != 1 {
		t.Errorf("it is there %d times", got)
	}
}
