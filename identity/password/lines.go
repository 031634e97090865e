package password

import (
	"container/list"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// lines holds who waits at a Gate: one line per tenant, served in turn. Only tenants with somebody waiting have a
// line, so its size is bounded by the waiting. Its owner holds the lock.
type lines struct {
	of      map[id.Tenant]*line
	ring    *list.List // of *line; the front is served next
	waiting int
}

// line is a tenant's. Who is let in behind the others has a queue of their own in it, and one turn of four: a spray of
// wrong passwords is in its own way, and nobody waits for ever.
type line struct {
	tenant id.Tenant
	turn   *list.Element // in lines.ring
	queue  list.List     // of *waiter, oldest first
	behind list.List     // likewise
	passed int           // turns in a row that those behind were passed over
}

const turnsPassed = 3

func (q *line) len() int { return q.queue.Len() + q.behind.Len() }

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

// waiter is one request in line.
type waiter struct {
	tenant id.Tenant
	behind bool
	place  *list.Element // in the line's list
	ended  bool          // no longer in line, other than by its own wish
	err    error         // why it was sent away; nil: it has a slot
	done   chan struct{} // closed when ended
}

func newLines() lines { return lines{of: map[id.Tenant]*line{}, ring: list.New()} }

func (l *lines) length(t id.Tenant) int {
	if q := l.of[t]; q != nil {
		return q.len()
	}
	return 0
}

// lastBehind is the newest of the tenant's requests that were let in behind the others; nil if there is none.
func (l *lines) lastBehind(t id.Tenant) *waiter {
	q := l.of[t]
	if q == nil || q.behind.Len() == 0 {
		return nil
	}
	return q.last()
}

// push puts a request at the end of its tenant's line; a tenant that had none gets the last turn.
func (l *lines) push(t id.Tenant, behind bool) *waiter {
	q := l.of[t]
	if q == nil {
		q = &line{tenant: t}
		q.turn = l.ring.PushBack(q)
		l.of[t] = q
	}
	w := &waiter{tenant: t, behind: behind, done: make(chan struct{})}
	w.place = q.list(behind).PushBack(w)
	l.waiting++
	return w
}

// next takes the first request of the tenant whose turn it is, and moves that tenant behind the others.
func (l *lines) next() *waiter {
	front := l.ring.Front()
	if front == nil {
		return nil
	}
	l.ring.MoveToBack(front)
	w := front.Value.(*line).first()
	l.remove(w)
	return w
}

func (l *lines) remove(w *waiter) {
	q := l.of[w.tenant]
	q.list(w.behind).Remove(w.place)
	l.waiting--
	if q.len() == 0 {
		l.ring.Remove(q.turn)
		delete(l.of, w.tenant)
	}
}

// lastOfLongest is the newest request of the longest line: the one that would be served last.
func (l *lines) lastOfLongest() *waiter {
	var longest *line
	for e := l.ring.Front(); e != nil; e = e.Next() {
		if q := e.Value.(*line); longest == nil || q.len() > longest.len() {
			longest = q
		}
	}
	return longest.last()
}

// ahead counts the requests served before a new one of the tenant: its own line, and one of every other line for each.
func (l *lines) ahead(t id.Tenant) int {
	own := l.length(t)
	n := own
	for _, q := range l.of {
		if q.tenant != t {
			n += min(q.len(), own+1)
		}
	}
	return n
}

// end wakes a request that has left the line: with a slot, or with the reason why it gets none.
func (w *waiter) end(err error) {
	w.ended, w.err = true, err
	close(w.done)
}
