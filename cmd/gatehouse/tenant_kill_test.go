package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// holdVault is a way to Vault on which requests that match wait for ever. held is closed when one does.
func holdVault(t *testing.T, address string, matches func(*http.Request) bool) (through string, held <-chan struct{}) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	proxy := httputil.NewSingleHostReverseProxy(u)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if matches(r) {
			select {
			case <-reached:
			default:
				close(reached)
			}
			<-ctx.Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { cancel(); server.Close() })
	return server.URL, reached
}

// A command that is killed while a tenant is half made or half destroyed: another replica finishes it, without being asked.
func TestAnotherReplicaFinishesWhatAKilledProcessBegan(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	first := startOn(t, in, nil)
	doomed := first.newTenant(t)
	killed := func(matches func(*http.Request) bool, args ...string) {
		t.Helper()
		through, held := holdVault(t, in.Runtime.Address, matches)
		p := launch(t, environment(serveSettings(in, "localhost:1"), "GATEHOUSE_VAULT_ADDR="+through), args...)
		select {
		case <-held:
		case <-p.done:
			t.Fatalf("%v ended: %s", args, p.stderr.String())
		case <-time.After(time.Minute):
			t.Fatalf("%v does not get as far", args)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if code := p.wait(); code != -1 {
			t.Fatalf("%v ended with %d", args, code)
		}
	}
	killed(func(r *http.Request) bool { return r.Method == http.MethodDelete }, "tenant", "delete", doomed.slug, "--yes")
	killed(func(r *http.Request) bool {
		return r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/transit/keys/")
	}, "tenant", "create", "halfmade")

	conn, err := pgx.Connect(t.Context(), in.SuperuserURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	ask := func(query string) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const half = `select (select count(*) from control.deletions where inventory is not null and keys_destroyed_at is null)
		+ (select count(*) from control.tenants where state = 'provisioning')`
	if n := ask(half); n != 2 {
		t.Fatalf("%d tenants are half made or half destroyed, want one of each", n)
	}
	doomed.do(t, request{method: "GET", host: doomed.host, path: "/.well-known/jwks.json"}).want(t, 404, "not_found")
	first.do(t, request{method: "GET", host: "halfmade.localhost", path: "/.well-known/jwks.json"}).want(t, 404, "not_found")

	// Two minutes later by its clock, so that what was begun cannot belong to somebody who is still at it.
	second := startOn(t, in, func(c *config) { c.now = func() time.Time { return time.Now().Add(2 * time.Minute) } })
	eventually(t, time.Minute, "the other replica finishes both", func() bool {
		return ask(`select (select count(*) from control.deletions where receipt is null) + (select count(*) from control.tenants where state = 'provisioning')`) == 0
	})
	for _, tp := range []*testPlatform{first, second} {
		eventually(t, 5*time.Second, "the one that was half made is usable", func() bool {
			return tp.do(t, request{method: "GET", host: "halfmade.localhost", path: "/.well-known/jwks.json"}).status == 200
		})
		tp.do(t, request{method: "GET", host: doomed.host, path: "/.well-known/jwks.json"}).want(t, 404, "not_found")
	}
	if n := ask(`select count(*) from pg_namespace where nspname ~ '^t_[0-9a-f]{32}$'`); n != 2 { // the platform's and the new one's
		t.Errorf("there are %d schemas", n)
	}
	var answer struct{ Receipt string }
	body := first.do(t, request{method: "DELETE", path: "/v1/tenants/" + doomed.id, key: first.platformKey}).want(t, 200, "").body
	if err := json.Unmarshal(body, &answer); err != nil || answer.Receipt == "" {
		t.Errorf("asked again it answers %s", body)
	}
}
