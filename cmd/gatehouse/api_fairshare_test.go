package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A storm at one tenant, of ten times what it could be served at once, is throttled there; another tenant's people sign in
// and stay signed in, without a single failure.
func TestAStormAtOneTenantLosesNothingOfAnother(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	email, _ := globex.newUser(t)
	ctx, calm := context.WithCancel(t.Context())
	var storm sync.WaitGroup
	var throttled, looked, other atomic.Int64
	for i := range 160 {
		storm.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a := acme.do(t, request{method: "POST", host: acme.host, path: "/v1/auth/login", from: fmt.Sprintf("127.2.%d.%d", n%2, i+1),
					body: map[string]any{"email": fmt.Sprintf("s%d-%d@people.example", i, n), "password": goodPassword}})
				switch {
				case a.status == 429 && a.text("code") == "rate_limited" && a.header.Get("Retry-After") != "":
					throttled.Add(1)
				case a.status == 401:
					looked.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	defer storm.Wait()
	defer calm()
	eventually(t, time.Minute, "the storm is throttled", func() bool { return throttled.Load() > 0 })
	for range 8 {
		a := globex.login(t, email, goodPassword).want(t, 200, "")
		globex.refresh(t, a.text("refresh_token")).want(t, 200, "")
	}
	calm()
	storm.Wait()
	t.Logf("acme: %d looked at, %d throttled, %d otherwise", looked.Load(), throttled.Load(), other.Load())
	if looked.Load() == 0 {
		t.Error("acme was served nothing at all")
	}
}
