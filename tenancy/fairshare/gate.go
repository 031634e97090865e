// Package fairshare lets tenants share what the service has little of: cores to hash on, connections to Postgres, calls of
// Vault. A Gate stands before each. It admits a bounded number of requests at a time, and while more want in, every
// tenant that does gets an equal share of the time there is.
//
//	                     acme: ////////////        the tenant that has had least is next
//	Do, Enter --> free?                     --> slot --> what it took is counted as had
//	                     globex: /
//
// Shares are of time and not of requests: what a tenant has had is the seconds that its requests held a slot, so one that
// sends few expensive requests and one that sends many cheap ones get as much. Nothing is reserved: a tenant that is alone
// has all of it, up to Options.Each. What it had while nobody waited is not held against it for long, see lines.
//
// A request that would wait too long is refused with an estimate of when it would be served. Whose fault it is decides
// how: a tenant that wants more than the others do on average is over its share and throttled (429), else the
// service is too small for all (503).
//
// Traps. A slot is held until it is given back: whoever holds one and asks for another of the same gate can wait for
// itself. What has begun is not interrupted, so a tenant's first request waits for the end of one of others', and where
// that may take long (a table that is locked), Options.Each has to leave slots for it.
package fairshare

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Options bounds a Gate. A field that is zero or less has its default.
type Options struct {
	Slots     int           // requests let in at a time; GOMAXPROCS
	Each      int           // slots one tenant may hold; all
	PerTenant int           // requests of one tenant that may wait; 32 per slot
	Total     int           // requests that may wait in all; 128 per slot
	MaxWait   time.Duration // how long one may wait; 1 s
	Cost      time.Duration // what a request is taken to hold its slot for before one was measured; 50 ms
}

func (o Options) withDefaults() Options {
	o.Slots = positive(o.Slots, runtime.GOMAXPROCS(0))
	o.Each = min(positive(o.Each, o.Slots), o.Slots)
	o.PerTenant = positive(o.PerTenant, 32*o.Slots)
	o.Total = positive(o.Total, 128*o.Slots)
	o.MaxWait = positive(o.MaxWait, time.Second)
	o.Cost = positive(o.Cost, 50*time.Millisecond)
	return o
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// ErrBusy is the cause of every refusal of a Gate.
var ErrBusy = errors.New("fairshare: no room")

// Gate admits requests, see the package. All methods may be called by many goroutines.
type Gate struct {
	o Options

	mu      sync.Mutex
	running int           // slots taken
	lines   lines         // who waits
	mean    time.Duration // moving average of how long a slot is held
}

// NewGate makes a Gate. One serves the whole process: two before the same thing would not know of each other.
func NewGate(o Options) *Gate {
	o = o.withDefaults()
	return &Gate{o: o, lines: newLines(o.Each), mean: o.Cost}
}

// Options is what bounds the gate, defaults filled in.
func (g *Gate) Options() Options { return g.o }

// Stats is a moment of a Gate, for metrics.
type Stats struct {
	Running int           // slots taken
	Waiting int           // requests in line, of all tenants
	Tenants int           // tenants that are remembered: who holds a slot, waits, or has had more than a share lately
	Mean    time.Duration // moving average of how long a slot is held
}

// Stats is the gate's state now.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{Running: g.running, Waiting: g.lines.waiting, Tenants: len(g.lines.of), Mean: g.mean}
}

// Demand is what one tenant wants of a Gate at a moment.
type Demand struct {
	Tenant  id.Tenant
	Running int // slots it holds
	Waiting int // requests in line
}

// Busiest are the tenants that want most at this moment, most first.
func (g *Gate) Busiest(most int) []Demand {
	all := g.demands()
	slices.SortFunc(all, func(a, b Demand) int {
		return cmp.Or(cmp.Compare(b.Running+b.Waiting, a.Running+a.Waiting), cmp.Compare(a.Tenant.String(), b.Tenant.String()))
	})
	return all[:min(most, len(all))]
}

// demands are those of all tenants that want something; who is only remembered is not among them.
func (g *Gate) demands() (all []Demand) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, q := range g.lines.of {
		if q.demand() > 0 {
			all = append(all, Demand{t, q.running, q.len()})
		}
	}
	return all
}

// Do runs work in a slot, in the caller's goroutine. Errors are those of Enter; work has not run then. A panic of work
// passes through and frees the slot.
func (g *Gate) Do(ctx context.Context, t id.Tenant, work func()) error {
	return g.do(ctx, t, false, work)
}

// DoBehind is Do for what is let in behind the tenant's other requests: one turn of four while others of the tenant wait,
// and the first to give way when the line is full.
func (g *Gate) DoBehind(ctx context.Context, t id.Tenant, work func()) error {
	return g.do(ctx, t, true, work)
}

func (g *Gate) do(ctx context.Context, t id.Tenant, behind bool, work func()) error {
	leave, err := g.enter(ctx, t, behind)
	if err != nil {
		return err
	}
	defer leave()
	work()
	return nil
}

// Enter waits for a slot and returns how to give it back, which must be done once. Errors: 429 rate_limited or 503
// unavailable, both with ErrBusy as their cause, when a bound is reached; the context's when that ends first.
func (g *Gate) Enter(ctx context.Context, t id.Tenant) (leave func(), err error) {
	return g.enter(ctx, t, false)
}

// Room is nil or what Enter would refuse a request of the tenant with now: to ask before other work is done for it.
func (g *Gate) Room(t id.Tenant) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := g.lines.of[t]; q != nil && g.full(q) && q.lastBehind() == nil {
		return g.refusal(q)
	}
	return nil
}

func (g *Gate) enter(ctx context.Context, t id.Tenant, behind bool) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := g.join(t, behind)
	if err != nil {
		return nil, err
	}
	if w.done != nil { // it has to wait
		if err := g.await(ctx, w); err != nil {
			return nil, err
		}
	}
	return func() { g.leave(w) }, nil
}

func (g *Gate) await(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(g.o.MaxWait)
	defer timer.Stop()
	select {
	case <-w.done:
		return w.err
	case <-timer.C:
		return g.quit(w, nil)
	case <-ctx.Done():
		return g.quit(w, ctx.Err())
	}
}

// join takes a free slot (the waiter has ended), or a place in line, or refuses.
func (g *Gate) join(t id.Tenant, behind bool) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.lines.line(t, g.mean)
	w := &waiter{line: q, behind: behind}
	if g.running < g.o.Slots && q.running < g.o.Each {
		g.start(w)
		return w, nil
	}
	if g.full(q) {
		last := q.lastBehind()
		if behind || last == nil {
			return nil, g.refusal(q)
		}
		g.sendAway(last)
	}
	if g.lines.waiting >= g.o.Total {
		// The longest line gives way, else a few tenants could fill the gate and shut out all the others.
		longest := g.lines.longest()
		if longest.len() <= q.len()+1 {
			defer g.lines.tidy(q)
			return nil, g.refusal(q)
		}
		g.sendAway(longest.last())
	}
	w.done = make(chan struct{})
	g.lines.push(w)
	return w, nil
}

func (g *Gate) sendAway(w *waiter) {
	g.lines.remove(w)
	w.end(g.refusal(w.line))
}

// quit leaves the line: the wait was too long (cause nil), or the context ended. The race: the slot may have been
// handed over, or the place lost, between the wake-up and the lock.
func (g *Gate) quit(w *waiter, cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.ended {
		g.lines.remove(w)
		defer g.lines.tidy(w.line)
		if cause != nil {
			return cause
		}
		return g.refusal(w.line)
	}
	if cause != nil && w.err == nil { // the slot is ours, but nobody wants the work any more
		g.stop(w, time.Since(w.began))
	}
	if cause != nil {
		return cause
	}
	return w.err
}

func (g *Gate) leave(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := time.Since(w.began)
	g.mean += (took - g.mean) / 8
	w.line.mean += (took - w.line.mean) / 8
	g.stop(w, took)
}

// start gives the waiter a slot. What it will cost is taken to be what the tenant's requests do, so that the next turn is
// decided without knowing; stop puts it right.
func (g *Gate) start(w *waiter) {
	g.running++
	w.began = time.Now()
	w.charged = g.lines.charge(w.line)
	w.end(nil)
}

// stop takes the slot back and hands it to whoever is next, without freeing it in between, so that no newcomer can
// overtake.
func (g *Gate) stop(w *waiter, took time.Duration) {
	g.running--
	g.lines.settle(w.line, took, w.charged)
	for g.running < g.o.Slots {
		next := g.lines.next()
		if next == nil {
			return
		}
		g.start(next)
	}
}
