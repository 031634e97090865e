package main

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// wantUnavailable fails unless the answer is an honest 503 that did not hang.
func wantUnavailable(tb testing.TB, what string, ask func() answer) {
	tb.Helper()
	started := time.Now()
	a := ask().want(tb, 503, "unavailable")
	if d := time.Since(started); d > 6*time.Second { // far over the promise: it tells a hang from an answer, and how long it takes is measured elsewhere
		tb.Errorf("%s: 503 after %s", what, d)
	}
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
		tb.Errorf("%s: Retry-After %q", what, a.header.Get("Retry-After"))
	}
	if a.text("details.request_id") != a.header.Get("X-Request-Id") {
		tb.Errorf("%s: request id %q in the body, %q in the header", what, a.text("details.request_id"), a.header.Get("X-Request-Id"))
	}
}

func TestLoginsFailHonestlyWithoutVaultAndRecover(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	runtime, provisioner, server := tenancytest.OwnVault(t)
	in.Runtime, in.Provisioner = runtime, provisioner
	tp := startOn(t, in, nil)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	suspended, id := tt.newUser(t)
	tt.at(t, "POST", "/v1/users/"+id+"/suspend", request{key: tt.key, body: `{"active":false}`}).want(t, 200, "")
	repeat := map[string]string{"Idempotency-Key": "during-the-outage"}
	create := request{key: tt.key, header: repeat, body: map[string]any{"email": "new@people.example", "name": "N", "password": goodPassword}}

	for name, outage := range map[string]struct{ begin, end func() error }{
		"sealed":  {func() error { return server.Seal(t.Context()) }, func() error { return server.Unseal(t.Context()) }},
		"stopped": {func() error { server.Kill(); return nil }, func() error { return server.Restart(t.Context()) }},
		"hanging": {server.Pause, server.Continue},
	} {
		if err := outage.begin(); err != nil {
			t.Fatal(err)
		}
		for who, address := range map[string]string{"a user": email, "nobody": "nobody@people.example", "a suspended user": suspended} {
			wantUnavailable(t, name+": login of "+who, func() answer { return tt.login(t, address, goodPassword) })
			wantUnavailable(t, name+": login of "+who+", wrong password", func() answer { return tt.login(t, address, "not the right one") })
		}
		wantUnavailable(t, name+": shared host", func() answer {
			return tp.do(t, request{method: "POST", path: "/v1/auth/login", body: map[string]any{"email": "a@nowhere.example", "password": "x"}})
		})
		wantUnavailable(t, name+": creation", func() answer { return tt.at(t, "POST", "/v1/users", create) })
		tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
		tt.at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "")
		tt.at(t, "GET", "/.well-known/openid-configuration", request{}).want(t, 200, "")
		tt.at(t, "GET", "/v1/users", request{key: tt.key}).want(t, 200, "")
		tp.do(t, request{method: "GET", path: "/healthz"}).want(t, 200, "")
		eventually(t, 10*time.Second, name+": readiness, which is kept for a second, says so", func() bool {
			a := tp.do(t, request{method: "GET", path: "/readyz"})
			return a.status == 503 && a.text("details.custody") == "unavailable" && a.text("details.postgres") == "ok"
		})
		if err := outage.end(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, name+": logins come back", func() bool { return tt.login(t, email, goodPassword).status == 200 })
		eventually(t, 10*time.Second, name+": readiness comes back", func() bool { return tp.do(t, request{method: "GET", path: "/readyz"}).status == 200 })
		tt.login(t, email, "not the right one").want(t, 401, "invalid_credentials")
	}
	tt.at(t, "POST", "/v1/users", create).want(t, 201, "")
}

func TestNothingIsMadeUpWithoutPostgresAndAllComesBack(t *testing.T) {
	t.Parallel()
	in, server := tenancytest.OwnPostgres(t)
	tp := startOn(t, in, nil)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
	tt.at(t, "GET", "/.well-known/jwks.json", request{}).want(t, 200, "")

	for name, stop := range map[string]func(){"stopped": func() { _ = server.Stop() }, "killed": server.Kill} {
		stop()
		body := map[string]any{"email": uniqueName() + "@people.example", "name": "N"}
		for what, ask := range map[string]func() answer{
			"login":          func() answer { return tt.login(t, email, goodPassword) },
			"wrong password": func() answer { return tt.login(t, email, "not the right one") },
			"profile":        func() answer { return tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}) },
			"list":           func() answer { return tt.at(t, "GET", "/v1/users", request{key: tt.key}) },
			"creation":       func() answer { return tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body}) },
			"tenants":        func() answer { return tp.do(t, request{method: "GET", path: "/v1/tenants", key: tp.platformKey}) },
			"an unknown host": func() answer {
				return tp.do(t, request{method: "GET", host: uniqueName() + ".example", path: "/v1/auth/providers"})
			},
		} {
			wantUnavailable(t, name+": "+what, ask)
		}
		tp.do(t, request{method: "GET", path: "/healthz"}).want(t, 200, "")
		if a := tp.do(t, request{method: "GET", path: "/readyz"}).want(t, 503, "unavailable"); a.text("details.postgres") != "unavailable" || a.text("details.custody") != "ok" {
			t.Errorf("%s: readiness: %s", name, a.body)
		}
		if err := server.Restart(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, name+": logins come back", func() bool { return tt.login(t, email, goodPassword).status == 200 })
		tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
		tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body}).want(t, 201, "")
		eventually(t, 10*time.Second, name+": a new tenant is made", func() bool {
			return tp.do(t, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: map[string]any{"name": "T", "slug": uniqueName()}}).status == 201
		})
	}
}

func TestARefreshThatFailsForAnOutageLeavesTheTokenAsItWas(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	runtime, provisioner, server := tenancytest.OwnVault(t)
	in.Runtime, in.Provisioner = runtime, provisioner
	tp := startOn(t, in, nil)
	tt := tp.newTenant(t)
	_, user, a := tt.signedIn(t)
	for name, outage := range map[string]struct{ begin, end func() error }{
		"sealed":  {func() error { return server.Seal(t.Context()) }, func() error { return server.Unseal(t.Context()) }},
		"stopped": {func() error { server.Kill(); return nil }, func() error { return server.Restart(t.Context()) }},
		"hanging": {server.Pause, server.Continue},
	} {
		if err := outage.begin(); err != nil {
			t.Fatal(err)
		}
		wantUnavailable(t, name, func() answer { return tt.refresh(t, a.text("refresh_token")) })
		tt.refresh(t, "ghr_of_nobody").want(t, 401, "invalid_token")
		tt.lateness(t, a.text("token"), time.Hour) // what failed long ago is no reuse
		if err := outage.end(); err != nil {
			t.Fatal(err)
		}
		var next answer
		eventually(t, 10*time.Second, name+": refreshes come back", func() bool { next = tt.refresh(t, a.text("refresh_token")); return next.status != 503 })
		a = next.want(t, 200, "")
	}
	if n := tt.recorded(t, "session.reuse_detected", user); n != 0 {
		t.Errorf("%d reuses were seen", n)
	}
}

func TestSessionsGoOnAfterPostgresWasKilled(t *testing.T) {
	t.Parallel()
	in, server := tenancytest.OwnPostgres(t)
	tp := startOn(t, in, nil)
	tt := tp.newTenant(t)
	_, _, a := tt.signedIn(t)
	killed := make(chan struct{})
	go func() { server.Kill(); close(killed) }()
	last := a
	for next := a; next.status == 200; { // until the database is away, in the middle of one or between two
		last = next
		next = tt.refresh(t, last.text("refresh_token"))
	}
	<-killed
	wantUnavailable(t, "killed", func() answer { return tt.refresh(t, last.text("refresh_token")) })
	wantUnavailable(t, "logout", func() answer { return tt.at(t, "POST", "/v1/auth/logout", request{bearer: last.text("token")}) })
	if err := server.Restart(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	tt.lateness(t, a.text("token"), -time.Hour) // however long the restart took: the client lost its answer a moment ago
	eventually(t, 10*time.Second, "refreshes come back", func() bool { return tt.refresh(t, last.text("refresh_token")).status == 200 })
	if !tt.works(t, last.text("token")) {
		t.Error("a logout that was not stored was done")
	}
}
