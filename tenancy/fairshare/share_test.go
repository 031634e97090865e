package fairshare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// tenantModel is a tenant as the property sees it.
type tenantModel struct {
	id      id.Tenant
	clients int           // at once
	cost    time.Duration // of a request, at most
	pause   time.Duration // between two requests of a client, at most; 0: it always wants

	had, before time.Duration // of slots
	longest     time.Duration // wait
	inside      int
}

// What is promised, held against tenants drawn at random: dear and cheap, greedy and quiet, many and few. Time is the
// bubble's.
func TestSharesOfWhoeverComes(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { holdShares(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

const dearest = 100 * time.Millisecond // request

func holdShares(t *testing.T, r *rand.Rand) {
	slots := 1 + r.IntN(4)
	g := NewGate(Options{Slots: slots, Each: slots, PerTenant: 1000, Total: 10_000, MaxWait: time.Hour})
	var tenants []*tenantModel
	for range 2 + r.IntN(6) {
		m := &tenantModel{id: id.NewTenant(), clients: 1 + r.IntN(3), cost: 9*time.Millisecond + upTo(r, dearest-9*time.Millisecond), pause: upTo(r, time.Second)}
		if r.IntN(2) == 0 {
			m.clients, m.pause = slots+1+r.IntN(20), 0
		}
		tenants = append(tenants, m)
	}
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	var clients sync.WaitGroup
	for _, m := range tenants {
		for range m.clients {
			own := rand.New(rand.NewPCG(r.Uint64(), 7))
			clients.Go(func() { m.want(ctx, g, own, &mu) })
		}
	}
	for range 5 {
		const window = 4 * time.Second
		time.Sleep(window)
		synctest.Wait()
		mu.Lock()
		checkWindow(t, g, tenants, window)
		mu.Unlock()
	}
	stop()
	clients.Wait()
	if s := g.Stats(); s != (Stats{Mean: s.Mean}) {
		t.Errorf("not empty at the end: %+v", s)
	}
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return 1 + time.Duration(r.Int64N(int64(most)))
}

// want is a client.
func (m *tenantModel) want(ctx context.Context, g *Gate, r *rand.Rand, mu *sync.Mutex) {
	for ctx.Err() == nil {
		if m.pause > 0 {
			time.Sleep(upTo(r, m.pause))
		}
		asked, took := time.Now(), max(upTo(r, m.cost), 5*time.Millisecond)
		_ = g.Do(ctx, m.id, func() {
			mu.Lock()
			m.longest = max(m.longest, time.Since(asked))
			m.inside++
			mu.Unlock()
			time.Sleep(took)
			mu.Lock()
			m.had += took
			m.inside--
			mu.Unlock()
		})
	}
}

func checkWindow(t *testing.T, g *Gate, tenants []*tenantModel, window time.Duration) {
	slots, s := g.o.Slots, g.Stats()
	inside := 0
	least, most := time.Duration(1<<62), time.Duration(0)
	for _, m := range tenants {
		inside += m.inside
		had := m.had - m.before
		m.before = m.had
		if m.pause > 0 {
			// Each of its requests waits for no more than one of each of the others, and for what runs.
			if bound := time.Duration(m.clients*len(tenants)+slots) * dearest; m.longest > bound {
				t.Errorf("a quiet tenant waited %v, more than %v", m.longest, bound)
			}
			continue
		}
		least, most = min(least, had), max(most, had)
		if share := window * time.Duration(slots) / time.Duration(len(tenants)); had < share-quantum(slots) {
			t.Errorf("a tenant of %d had %v of %d slots, its share is %v", len(tenants), had, slots, share)
		}
	}
	if most > 0 && most-least > 2*quantum(slots) {
		t.Errorf("of two that always want one had %v and the other %v", most, least)
	}
	if inside != s.Running || s.Running > slots || s.Running < slots && s.Waiting > 0 {
		t.Errorf("%d slots, %d inside: %+v", slots, inside, s)
	}
	if s.Tenants > len(tenants) {
		t.Errorf("%d tenants are remembered of %d", s.Tenants, len(tenants))
	}
}

// quantum is what a tenant may be ahead or behind: what it has in every slot is counted when it ends, and one request more.
func quantum(slots int) time.Duration { return time.Duration(slots+1) * dearest }

// However many tenants pass by, those remembered are no more than twice those inside.
func TestWhoLeftIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Options{Slots: 2, MaxWait: time.Hour})
		var passing sync.WaitGroup
		for i := range 500 {
			passing.Go(func() { _ = g.Do(t.Context(), id.NewTenant(), hash(20*time.Millisecond)) })
			time.Sleep(time.Duration(5+i%8) * time.Millisecond) // now more, now less than there is room for
			synctest.Wait()
			if s := g.Stats(); s.Tenants > 2*(s.Running+s.Waiting)+2 {
				t.Fatalf("%+v", s)
			}
		}
		passing.Wait()
		if n := len(g.lines.of); n != 0 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// A storm of ever new tenants does not starve one that waits.
func TestNewcomersDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Options{Slots: 1, MaxWait: time.Hour})
		waiting, old := storm(t, g, id.NewTenant(), 3, hash(20*time.Millisecond)), time.Now()
		var newcomers sync.WaitGroup
		for range 200 {
			newcomers.Go(func() { _ = g.Do(t.Context(), id.NewTenant(), hash(20*time.Millisecond)) })
			time.Sleep(10 * time.Millisecond) // twice what there is room for
		}
		waiting.Wait()
		if took := time.Since(old); took > 2*time.Second+time.Millisecond {
			t.Errorf("three requests took %v", took)
		}
		newcomers.Wait()
	})
}

// Who may not have all slots leaves the rest to others, also while nobody else wants them.
func TestEachHasItsMost(t *testing.T) {
	bubble(t, Options{Slots: 10, Each: 5, MaxWait: time.Hour}, func(t *testing.T, g *Gate) {
		attack := storm(t, g, id.NewTenant(), 20, hash(time.Second))
		if s := g.Stats(); s.Running != 5 || s.Waiting != 15 {
			t.Errorf("%+v", s)
		}
		if err := g.Do(t.Context(), id.NewTenant(), func() {}); err != nil {
			t.Error(err)
		}
		attack.Wait()
	})
}

// Who is to blame: the tenant that wants more than the others do on average is throttled, else the service is too small.
func TestWhoIsToBlame(t *testing.T) {
	bubble(t, Options{Slots: 1, PerTenant: 5, Total: 12, MaxWait: time.Hour}, func(t *testing.T, g *Gate) {
		refused := func() error { return g.Do(t.Context(), id.NewTenant(), func() { t.Error("ran") }) }
		a := id.NewTenant()
		all := []*sync.WaitGroup{storm(t, g, a, 6, hash(20*time.Millisecond))}
		wantRefused(t, g.Do(t.Context(), a, func() {}), "rate_limited", 0) // one with a full line
		for range 7 {
			all = append(all, storm(t, g, id.NewTenant(), 1, hash(20*time.Millisecond)))
		}
		wantRefused(t, g.Do(t.Context(), a, func() {}), "rate_limited", 0) // and others who wait
		for range 4 {
			all = append(all, storm(t, g, id.NewTenant(), 1, hash(20*time.Millisecond))) // take the places of a
		}
		wantRefused(t, refused(), "unavailable", 0) // twelve with one each
		for _, w := range all {
			w.Wait()
		}
	})
}
