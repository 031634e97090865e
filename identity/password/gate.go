package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// GateOptions bounds a Gate. A field that is zero or less has its default.
type GateOptions struct {
	Slots     int           // hashes at a time; GOMAXPROCS
	PerTenant int           // requests of one tenant that may wait; 32 per slot, about what a second can serve
	Total     int           // requests that may wait in all; 128 per slot
	MaxWait   time.Duration // how long one may wait; 1 s
}

func (o GateOptions) withDefaults() GateOptions {
	o.Slots = positive(o.Slots, runtime.GOMAXPROCS(0))
	o.PerTenant = positive(o.PerTenant, 32*o.Slots)
	o.Total = positive(o.Total, 128*o.Slots)
	o.MaxWait = positive(o.MaxWait, time.Second)
	return o
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// ErrBusy is what every *BusyError is (errors.Is).
var ErrBusy = errors.New("password: too many hashes are waiting")

// BusyError is ErrBusy with an estimate of when another try would be served: what waits now, at the pace measured
// lately. It is exact, not rounded up to the seconds of HTTP's Retry-After, and never zero.
type BusyError struct{ RetryAfter time.Duration }

// Error is for logs.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%v, retry after %v", ErrBusy, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Unwrap() error { return ErrBusy }

// Gate admits CPU-bound work, a bounded number at a time, and is fair between tenants: each has its own line, and
// free slots go round the lines. A tenant with a thousand waiting delays another's single request by one turn, not by
// a thousand.
type Gate struct {
	o GateOptions

	mu      sync.Mutex
	running int           // slots taken; while anyone waits, all of them
	lines   lines         // who waits
	mean    time.Duration // moving average of how long work takes
}

// firstMean is what a hash is taken to cost before one was measured: one of the defaults on a busy machine.
const firstMean = 50 * time.Millisecond

// NewGate makes a Gate. One serves the whole process: two would share the cores without knowing of each other.
func NewGate(o GateOptions) *Gate {
	return &Gate{o: o.withDefaults(), lines: newLines(), mean: firstMean}
}

// GateStats is a moment of a Gate, for metrics.
type GateStats struct {
	Running int           // slots taken
	Waiting int           // requests in line, of all tenants
	Tenants int           // tenants with a request in line
	Mean    time.Duration // moving average of how long work takes
}

// Stats is the gate's state now.
func (g *Gate) Stats() GateStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GateStats{Running: g.running, Waiting: g.lines.waiting, Tenants: len(g.lines.of), Mean: g.mean}
}

// Do runs work when a slot is free for the tenant, in the caller's goroutine. It answers a *BusyError without running it
// when a bound is reached, and the context's error when that ends first; the wait ends at once then. A panic of work
// passes through and frees the slot. Work must not call Do of the same gate.
func (g *Gate) Do(ctx context.Context, queue id.Tenant, work func()) error {
	return g.do(ctx, queue, false, work)
}

// do is Do or, for what is let in behind the tenant's other requests: one turn of four while others of the tenant wait, and
// the first to give way when the line is full.
func (g *Gate) do(ctx context.Context, queue id.Tenant, behind bool, work func()) error {
	if err := g.enter(ctx, queue, behind); err != nil {
		return err
	}
	start := time.Now()
	defer func() { g.leave(time.Since(start)) }()
	work()
	return nil
}

// enter waits for a slot; nil means that the caller has one and must leave.
func (g *Gate) enter(ctx context.Context, queue id.Tenant, behind bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := g.join(queue, behind)
	if w == nil {
		return err
	}
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

// join takes a free slot (nil, nil), or a place in line, or refuses.
func (g *Gate) join(queue id.Tenant, behind bool) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.o.Slots {
		g.running++
		return nil, nil
	}
	if g.lines.length(queue) >= g.o.PerTenant {
		last := g.lines.lastBehind(queue)
		if behind || last == nil {
			return nil, g.busy(queue)
		}
		g.lines.remove(last)
		last.end(g.busy(queue))
	}
	if g.lines.waiting >= g.o.Total {
		// The longest line gives way, else a few tenants could fill the gate and shut out all the others.
		last := g.lines.lastOfLongest()
		if g.lines.length(last.tenant) <= g.lines.length(queue)+1 {
			return nil, g.busy(queue)
		}
		g.lines.remove(last)
		last.end(g.busy(last.tenant))
	}
	return g.lines.push(queue, behind), nil
}

// quit leaves the line: the wait was too long (cause nil), or the context ended. The race: the slot may have been
// handed over, or the place lost, between the wake-up and the lock.
func (g *Gate) quit(w *waiter, cause error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.ended {
		g.lines.remove(w)
		if cause != nil {
			return cause
		}
		return g.busy(w.tenant)
	}
	if cause != nil && w.err == nil { // the slot is ours, but nobody wants the work any more
		g.pass()
	}
	if cause != nil {
		return cause
	}
	return w.err
}

// leave gives the slot back and counts what the work took.
func (g *Gate) leave(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mean += (took - g.mean) / 8
	g.pass()
}

// pass hands a slot to the next in line, without freeing it in between, so that no newcomer can overtake.
func (g *Gate) pass() {
	if w := g.lines.next(); w != nil {
		w.end(nil)
		return
	}
	g.running--
}

// busy estimates when the tenant's next request would be served: after all of its own line, and in each other line after
// as many as round robin serves meanwhile.
func (g *Gate) busy(queue id.Tenant) *BusyError {
	turns := g.lines.ahead(queue) + 1
	return &BusyError{RetryAfter: g.mean * time.Duration(turns) / time.Duration(g.o.Slots)}
}
