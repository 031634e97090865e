package fairshare

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// In these tests time is that of a synctest bubble: it moves only when every goroutine waits, so an hour takes nothing
// and the order of events is exact.

// hash is work that takes d of the bubble's time.
func hash(d time.Duration) func() { return func() { time.Sleep(d) } }

// bubble runs test with a gate that takes a request to cost what one hash does.
func bubble(t *testing.T, o Options, test func(t *testing.T, g *Gate)) {
	synctest.Test(t, func(t *testing.T) {
		o.Cost = positive(o.Cost, 20*time.Millisecond)
		g := NewGate(o)
		test(t, g)
		synctest.Wait()
		if s := g.Stats(); s.Running != 0 || s.Waiting != 0 || s.Tenants != 0 {
			t.Errorf("the gate is not empty at the end: %+v", s)
		}
	})
}

// storm starts n requests of one tenant and returns when all are running or in line.
func storm(t *testing.T, g *Gate, tenant id.Tenant, n int, work func()) *sync.WaitGroup {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := g.Do(t.Context(), tenant, work); err != nil && !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	return &wg
}

// inLine is how many requests of one tenant wait.
func inLine(g *Gate, tenant id.Tenant) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := g.lines.of[tenant]; q != nil {
		return q.len()
	}
	return 0
}

// R7: a thousand requests of one tenant delay another's single one by a hash or two, whatever the number of cores.
func TestStormDelaysOthersByOneTurn(t *testing.T) {
	for _, slots := range []int{1, 2, 8} {
		bubble(t, Options{Slots: slots, PerTenant: 1000, Total: 2000, MaxWait: time.Hour}, func(t *testing.T, g *Gate) {
			attack := storm(t, g, id.NewTenant(), 1000, hash(20*time.Millisecond))
			time.Sleep(time.Millisecond) // in the middle of a hash
			start := time.Now()
			if err := g.Do(t.Context(), id.NewTenant(), func() {}); err != nil {
				t.Fatal(err)
			}
			// What is running ends after 19 ms; then it may be the storm's turn once, on one core.
			if waited := time.Since(start); waited > 39*time.Millisecond {
				t.Errorf("%d slots: waited %v", slots, waited)
			}
			attack.Wait()
		})
	}
}

// The order is that of what tenants have had, of equals who has waited longer, and first come, first served within one.
func TestWhoHasHadLeastIsNext(t *testing.T) {
	bubble(t, Options{Slots: 1, Cost: time.Millisecond}, func(t *testing.T, g *Gate) {
		var order []string // written inside the one slot
		tenants := map[string]id.Tenant{"a": id.NewTenant(), "b": id.NewTenant(), "c": id.NewTenant()}
		cost := map[string]time.Duration{"a": time.Millisecond, "b": time.Millisecond, "c": 3 * time.Millisecond}
		var wg sync.WaitGroup
		for _, name := range []string{"a1", "a2", "a3", "a4", "b1", "b2", "c1", "c2"} {
			wg.Go(func() {
				_ = g.Do(t.Context(), tenants[name[:1]], func() { order = append(order, name); time.Sleep(cost[name[:1]]) })
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := []string{"a1", "b1", "c1", "a2", "b2", "a3", "c2", "a4"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// Who is let in behind has one turn of four, and the tenant no more turns for it.
func TestBehindTheOthers(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		var order []string // written inside the one slot
		a, b := id.NewTenant(), id.NewTenant()
		var wg sync.WaitGroup
		for _, name := range []string{"a1", "x1", "x2", "x3", "a2", "a3", "a4", "a5", "b1", "b2"} {
			wg.Go(func() {
				tenant := a
				if name[0] == 'b' {
					tenant = b
				}
				_ = g.do(t.Context(), tenant, name[0] == 'x', func() { order = append(order, name); time.Sleep(time.Millisecond) })
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := []string{"a1", "b1", "a2", "b2", "a3", "a4", "x1", "a5", "x2", "x3"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// A line full of guesses has room for whoever is no guess.
func TestGuessesGiveWay(t *testing.T) {
	bubble(t, Options{Slots: 1, PerTenant: 2}, func(t *testing.T, g *Gate) {
		a := id.NewTenant()
		errs := map[string]error{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, name := range []string{"x1", "x2", "x3", "x4", "a1", "a2", "a3"} {
			wg.Go(func() {
				err := g.do(t.Context(), a, name[0] == 'x', func() { time.Sleep(time.Millisecond) })
				mu.Lock()
				defer mu.Unlock()
				errs[name] = err
			})
			synctest.Wait()
		}
		wg.Wait()
		for _, name := range []string{"x1", "a1", "a2"} {
			if errs[name] != nil {
				t.Errorf("%s: %v", name, errs[name])
			}
		}
		for _, name := range []string{"x2", "x3", "x4", "a3"} {
			if !errors.Is(errs[name], ErrBusy) {
				t.Errorf("%s: %v, want busy", name, errs[name])
			}
		}
	})
}

// Ten tenants that all want more than there is get the same share.
func TestEqualShares(t *testing.T) {
	bubble(t, Options{Slots: 2, PerTenant: 200, Total: 1000, MaxWait: 2 * time.Second}, func(t *testing.T, g *Gate) {
		var served [10]atomic.Int64
		var wg []*sync.WaitGroup
		for i := range served {
			n := 20 * (i + 1) // the last asks for ten times as much as the first
			wg = append(wg, storm(t, g, id.NewTenant(), n, func() { served[i].Add(1); time.Sleep(20 * time.Millisecond) }))
		}
		for _, w := range wg {
			w.Wait()
		}
		for i := range served { // 200 hashes fit into the two seconds
			if n := served[i].Load(); n < 19 || n > 22 {
				t.Errorf("tenant %d was served %d times", i, n)
			}
		}
	})
}

func TestNeverMoreThanSlots(t *testing.T) {
	bubble(t, Options{Slots: 3, PerTenant: 100, Total: 100, MaxWait: time.Hour}, func(t *testing.T, g *Gate) {
		var now, most atomic.Int64
		storm(t, g, id.NewTenant(), 100, func() {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
		}).Wait()
		if most.Load() != 3 {
			t.Errorf("%d at a time", most.Load())
		}
	})
}

func TestTenantBound(t *testing.T) {
	bubble(t, Options{Slots: 2, PerTenant: 10, Total: 100}, func(t *testing.T, g *Gate) {
		tenant := id.NewTenant()
		wg := storm(t, g, tenant, 12, hash(20*time.Millisecond))
		// Ten in line and the newcomer, at 20 ms, on two cores.
		wantRefused(t, g.Do(t.Context(), tenant, func() { t.Error("ran past the bound") }), "rate_limited", 110*time.Millisecond)
		wantRefused(t, g.Room(tenant), "rate_limited", 110*time.Millisecond)
		// Another tenant gets in all the same.
		other := id.NewTenant()
		if err := errors.Join(g.Room(other), g.Do(t.Context(), other, func() {})); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

// A line of few expensive requests is too long as soon as the newest would wait in vain.
func TestLinesAreBoundedInTime(t *testing.T) {
	bubble(t, Options{Slots: 1, MaxWait: time.Second, Cost: 300 * time.Millisecond}, func(t *testing.T, g *Gate) {
		tenant := id.NewTenant()
		wg := storm(t, g, tenant, 4, hash(300*time.Millisecond))
		wantRefused(t, g.Do(t.Context(), tenant, func() { t.Error("ran") }), "rate_limited", 1200*time.Millisecond)
		wg.Wait()
	})
}

// wantRefused wants a refusal with the code, and a wait of so long if one is given.
func wantRefused(t *testing.T, err error, code string, after time.Duration) {
	t.Helper()
	refused := problem.From(err)
	if !errors.Is(err, ErrBusy) || refused.Code != code || after > 0 && refused.RetryAfter != after {
		t.Errorf("%v, retry after %v; want %s after %v", err, problem.From(err).RetryAfter, code, after)
	}
}

// When the gate is full, the longest line gives way: who fills it cannot shut out the others.
func TestTotalBound(t *testing.T) {
	bubble(t, Options{Slots: 1, PerTenant: 9, Total: 10}, func(t *testing.T, g *Gate) {
		errs := make(chan error, 100)
		var wg sync.WaitGroup
		do := func(tenant id.Tenant) {
			wg.Go(func() { errs <- g.Do(t.Context(), tenant, hash(20*time.Millisecond)) })
			synctest.Wait()
		}
		a, b, c := id.NewTenant(), id.NewTenant(), id.NewTenant()
		for range 10 {
			do(a) // one runs, nine wait
		}
		do(b) // full: 9 and 1
		do(a) // its own line is full
		if s := g.Stats(); s.Waiting != 10 || s.Tenants != 2 || len(errs) != 1 {
			t.Fatalf("%+v, %d ended", s, len(errs))
		}
		do(c) // takes the place of a's last
		if s := g.Stats(); s.Waiting != 10 || s.Tenants != 3 || inLine(g, a) != 8 || len(errs) != 2 {
			t.Fatalf("%+v, %d ended", s, len(errs))
		}
		for range 10 {
			do(c) // until its line is within one of the longest: then taking a place would only swap the two
		}
		if na, nb, nc := inLine(g, a), inLine(g, b), inLine(g, c); na != 5 || nb != 1 || nc != 4 {
			t.Errorf("lines of %d, %d and %d", na, nb, nc)
		}
		wg.Wait()
		close(errs)
		served := 0
		for err := range errs {
			if err == nil {
				served++
			} else if after := problem.From(err).RetryAfter; !errors.Is(err, ErrBusy) || after < 20*time.Millisecond || after > 220*time.Millisecond {
				t.Errorf("%v, retry after %v", err, after)
			}
		}
		if served != 11 {
			t.Errorf("%d were served, want one running and ten waiting", served)
		}
	})
}

// The estimate for a tenant counts what its share lets others have before it, not everything that waits.
func TestRetryAfter(t *testing.T) {
	g, a, b := NewGate(Options{Slots: 2}), id.NewTenant(), id.NewTenant()
	for range 10 {
		g.lines.push(&waiter{line: g.lines.line(a, 20*time.Millisecond)})
	}
	g.lines.push(&waiter{line: g.lines.line(b, 20*time.Millisecond)})
	for _, c := range []struct {
		tenant id.Tenant
		turns  time.Duration
	}{{a, 10 + 1 + 1}, {b, 1 + 2 + 1}, {id.NewTenant(), 0 + 2 + 1}} {
		if got, want := g.wait(g.lines.line(c.tenant, 20*time.Millisecond)), c.turns*10*time.Millisecond; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestMaxWait(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		wg := storm(t, g, id.NewTenant(), 1, hash(10*time.Second))
		start := time.Now()
		err := g.Do(t.Context(), id.NewTenant(), func() { t.Error("ran") })
		if waited := time.Since(start); !errors.Is(err, ErrBusy) || waited != time.Second {
			t.Errorf("%v after %v, want one second", err, waited)
		}
		if s := g.Stats(); s.Waiting != 0 || s.Tenants != 1 {
			t.Errorf("still in line: %+v", s)
		}
		wg.Wait()
	})
}

func TestCancelLeavesAtOnce(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		wg := storm(t, g, id.NewTenant(), 1, hash(500*time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := g.Do(ctx, id.NewTenant(), func() { t.Error("ran") })
		if waited := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || waited != 5*time.Millisecond {
			t.Errorf("%v after %v", err, waited)
		}
		if s := g.Stats(); s.Waiting != 0 || s.Tenants != 1 {
			t.Errorf("still in line: %+v", s)
		}
		wg.Wait()
	})
}

// The race named at quit, both ways: the slot is handed over after the context ended but before the line was left.
func TestSlotHandedToOneWhoLeft(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		for _, c := range []struct{ cause, want error }{{context.Canceled, context.Canceled}, {nil, nil}} {
			first, err := g.join(id.NewTenant(), false)
			if err != nil || !first.ended {
				t.Fatal("no free slot")
			}
			w, _ := g.join(id.NewTenant(), false)
			g.leave(first) // hands the slot over
			if err := g.quit(w, c.cause); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.cause == nil { // too late to be too late: the slot is ours, so it is used
				g.leave(w)
			}
			if s := g.Stats(); s.Running != 0 {
				t.Errorf("cause %v: a slot leaked: %+v", c.cause, s)
			}
		}
	})
}

func TestPanicFreesTheSlot(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = g.Do(t.Context(), id.NewTenant(), func() { panic("boom") })
		}()
		if err := g.Do(t.Context(), id.NewTenant(), func() {}); err != nil {
			t.Error(err)
		}
	})
}

func TestMeanFollows(t *testing.T) {
	bubble(t, Options{Slots: 1}, func(t *testing.T, g *Gate) {
		for range 50 {
			_ = g.Do(t.Context(), id.NewTenant(), hash(80*time.Millisecond))
		}
		if m := g.Stats().Mean; m < 79*time.Millisecond || m > 80*time.Millisecond {
			t.Errorf("mean %v", m)
		}
	})
}

// Who has left is not among the busiest, and of the others who wants most is first.
func TestTheBusiestWantMost(t *testing.T) {
	bubble(t, Options{Slots: 2, Each: 1}, func(t *testing.T, g *Gate) {
		storming, single, done := id.NewTenant(), id.NewTenant(), id.NewTenant()
		storm(t, g, done, 1, func() {}).Wait()
		running := []*sync.WaitGroup{storm(t, g, single, 1, hash(time.Second)), storm(t, g, storming, 4, hash(time.Second))}
		want := []Demand{{storming, 1, 3}, {single, 1, 0}}
		if got := g.Busiest(10); !slices.Equal(got, want) {
			t.Errorf("the busiest are %v and not %v", got, want)
		}
		if got := g.Busiest(1); !slices.Equal(got, want[:1]) {
			t.Errorf("the busiest one is %v and not %v", got, want[0])
		}
		for _, s := range running {
			s.Wait()
		}
	})
}

func TestGateDefaults(t *testing.T) {
	o := NewGate(Options{Slots: 4}).o
	if o != (Options{Slots: 4, Each: 4, PerTenant: 128, Total: 512, MaxWait: time.Second, Cost: 50 * time.Millisecond}) {
		t.Errorf("%+v", o)
	}
	if NewGate(Options{}).o.Slots < 1 {
		t.Error("no slots")
	}
}

// In real time, with the race detector: 50 goroutines of 5 tenants that come, wait, are refused, give up and panic.
func TestGateUnderRaces(t *testing.T) {
	g := NewGate(Options{Slots: 2, PerTenant: 6, Total: 20, MaxWait: 300 * time.Microsecond})
	var tenants [5]id.Tenant
	for i := range tenants {
		tenants[i] = id.NewTenant()
	}
	var inside, ran, refused, left atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(600))*time.Microsecond)
				func() {
					defer func() { _ = recover() }()
					err := g.Do(ctx, tenants[rand.IntN(len(tenants))], func() {
						if inside.Add(1) > 2 {
							t.Error("more than two inside")
						}
						time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
						ran.Add(1)
						inside.Add(-1)
						if rand.IntN(10) == 0 {
							panic("boom")
						}
					})
					switch {
					case errors.Is(err, ErrBusy):
						refused.Add(1)
					case err != nil:
						left.Add(1)
					}
				}()
				cancel()
			}
		})
	}
	wg.Wait()
	if s := g.Stats(); s.Running != 0 || s.Waiting != 0 || s.Tenants != 0 {
		t.Errorf("not empty at the end: %+v", s)
	}
	if ran.Load() == 0 || refused.Load() == 0 || left.Load() == 0 || ran.Load()+refused.Load()+left.Load() != 50*200 {
		t.Errorf("ran %d, refused %d, left %d of %d", ran.Load(), refused.Load(), left.Load(), 50*200)
	}
}
