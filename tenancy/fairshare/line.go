package fairshare

import (
	"container/heap"
	"container/list"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// line is a tenant's. Who is let in behind the others has a queue of their own in it, and one turn of four: a spray of
// wrong passwords is in its own way, and nobody waits for ever.
type line struct {
	tenant  id.Tenant
	queue   list.List     // of *waiter, oldest first
	behind  list.List     // likewise
	passed  int           // turns in a row that those behind were passed over
	running int           // slots held
	active  bool          // counted in lines.active
	had     time.Duration // of slots, on the scale of lines.now
	mean    time.Duration // moving average of how long the tenant's requests hold a slot
	turn    uint64        // when it came or had its last turn: of equals, the one that has waited longer is first
	in      *order        // which it is in; nil is none
	at      int           // where in it
}

const turnsPassed = 3

func (q *line) len() int { return q.queue.Len() + q.behind.Len() }

// demand is how many requests hold a slot or wait.
func (q *line) demand() int { return q.running + q.len() }

// list is where a request waits.
func (q *line) list(behind bool) *list.List {
	if behind {
		return &q.behind
	}
	return &q.queue
}

// first is whose turn it is.
func (q *line) first() *waiter {
	behind := q.queue.Len() == 0 || q.behind.Len() > 0 && q.passed >= turnsPassed
	q.passed++
	if behind {
		q.passed = 0
	}
	return q.list(behind).Front().Value.(*waiter)
}

// last is who would be served last.
func (q *line) last() *waiter { return q.list(q.behind.Len() > 0).Back().Value.(*waiter) }

// lastBehind is the newest of the requests that were let in behind the others; nil if there is none.
func (q *line) lastBehind() *waiter {
	if q.behind.Len() == 0 {
		return nil
	}
	return q.last()
}

// waiter is one request, in line or with a slot.
type waiter struct {
	line    *line
	behind  bool
	place   *list.Element // in the line's list
	ended   bool          // no longer in line, other than by its own wish
	err     error         // why it was sent away; nil: it has a slot
	done    chan struct{} // closed when ended; nil for one that never waited
	began   time.Time     // when it got the slot
	charged time.Duration // what its tenant was charged then
}

// end wakes a request that has left the line: with a slot, or with the reason why it gets none.
func (w *waiter) end(err error) {
	w.ended, w.err = true, err
	if w.done != nil {
		close(w.done)
	}
}

// order is a heap of lines: who has had least is first.
type order []*line

func (o order) Len() int { return len(o) }

func (o order) Less(i, j int) bool {
	return o[i].had < o[j].had || o[i].had == o[j].had && o[i].turn < o[j].turn
}

func (o order) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].at, o[j].at = i, j
}

// Push and Pop are for container/heap alone.
func (o *order) Push(x any) {
	q := x.(*line)
	q.in, q.at = o, len(*o)
	*o = append(*o, q)
}

func (o *order) Pop() any {
	last := len(*o) - 1
	q := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	q.in = nil
	return q
}

// take takes the line out, if it is in this order.
func (o *order) take(q *line) {
	if q.in == o {
		heap.Remove(o, q.at)
	}
}
