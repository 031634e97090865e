package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// logins is what a stretch of signing in came to.
type logins struct {
	took []time.Duration // of each that got its token, on the clock
	shed int             // answered 503 or 429: come back later
	wall time.Duration
	cost cost
}

// cost is the CPU time of each process.
type cost struct{ server, postgres, vault, load time.Duration }

func (c cost) minus(d cost) cost {
	return cost{c.server - d.server, c.postgres - d.postgres, c.vault - d.vault, c.load - d.load}
}

func (c cost) plus(d cost) cost {
	return cost{c.server + d.server, c.postgres + d.postgres, c.vault + d.vault, c.load + d.load}
}

// costSoFar is the cost of everything; without a replica there is no server in it.
func (s *stack) costSoFar(r *replica) (c cost, err error) {
	if r != nil {
		if c.server, err = cpuOf(r.pid()); err != nil {
			return c, err
		}
	}
	if c.postgres, err = cpuOfFamily(s.postgres.PID()); err != nil {
		return c, err
	}
	c.vault, err = cpuOf(s.vault.PID())
	c.load = selfCPU()
	return c, err
}

// signIn has clients sign in one after the other, each at a tenant chosen at random, for some time and until the last
// answer is there.
func (s *stack) signIn(ctx context.Context, r *replica, clients int, d time.Duration, among []tenant) (done logins, err error) {
	before, err := s.costSoFar(r)
	if err != nil {
		return done, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(began) < d && ctx.Err() == nil {
				took, shed, err := login(ctx, r, &among[rand.IntN(len(among))]) //nolint:gosec // a choice, not a secret
				mu.Lock()
				switch {
				case err != nil:
					cancel(err)
				case shed > 0:
					done.shed++
				default:
					done.took = append(done.took, took)
				}
				mu.Unlock()
				wait(ctx, shed)
			}
		})
	}
	wg.Wait()
	done.wall = time.Since(began)
	if err := context.Cause(ctx); err != nil {
		return done, err
	}
	after, err := s.costSoFar(r)
	done.cost = after.minus(before)
	return done, err
}

// login signs in once. shed is how long the server asks to wait, if it had no room.
func login(ctx context.Context, r *replica, t *tenant) (took, shed time.Duration, err error) {
	began := time.Now()
	a, err := call{method: http.MethodPost, url: r.url + "/v1/auth/login", host: t.host, body: t.login}.do(ctx)
	took = time.Since(began)
	switch {
	case err != nil:
		return took, 0, err
	case a.status == http.StatusOK && bytes.Contains(a.body, []byte(`"refresh_token":"`)):
		return took, 0, nil
	}
	shed, err = a.later()
	return took, shed, err
}

// later is how long an answer that is not the one wanted asks to wait; every other one is an error.
func (a answer) later() (time.Duration, error) {
	if a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests {
		return 0, fmt.Errorf("%s was answered %d: %s", a.asked, a.status, a.body)
	}
	again, err := time.ParseDuration(a.header.Get("Retry-After") + "s")
	if err != nil || again <= 0 {
		return 0, fmt.Errorf("%s was answered %d without an honest Retry-After: %s", a.asked, a.status, a.body)
	}
	return again, nil
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// quantile is the smallest value that at least this share of all values does not pass.
func quantile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	at := int(share*float64(len(sorted)) + 0.999999)
	return sorted[min(max(at, 1), len(sorted))-1]
}

// watch samples a process's memory until stopped, and says the most it saw.
func watch(pid int) (stop func() int64) {
	quit, most := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now, err := memoryOf(pid); err == nil {
					peak = max(peak, now)
				}
			case <-quit:
				most <- peak
				return
			}
		}
	}()
	return func() int64 { close(quit); return <-most }
}
