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

type line struct {
	tenant id.Tenant
	turn   *list.Element // in lines.ring
	queue  list.List     // of *waiter, oldest first
}

// waiter is one request in line.
type waiter struct {
	tenant id.Tenant
	place  *list.Element // in line.queue
	ended  bool          // no longer in line, other than by its own wish
	err    error         // why it was sent away; nil: it has a slot
	done   chan struct{} // closed when ended
}

func newLines() lines { return lines{of: map[id.Tenant]*line{}, ring: list.New()} }

func (l *lines) length(t id.Tenant) int {
	if q := l.of[t]; q != nil {
		return q.queue.Len()
	}
	return 0
}

// push puts a request at the end of its tenant's line; a tenant that had none gets the last turn.
func (l *lines) push(t id.Tenant) *waiter {
	q := l.of[t]
	if q == nil {
		q = &line{tenant: t}
		q.turn = l.ring.PushBack(q)
		l.of[t] = q
	}
	w := &waiter{tenant: t, done: make(chan struct{})}
	w.place = q.queue.PushBack(w)
	l.waiting++
	return w
}

// next takes the oldest request of the tenant whose turn it is, and moves that tenant behind the others.
func (l *lines) next() *waiter {
	front := l.ring.Front()
	if front == nil {
		return nil
	}
	l.ring.MoveToBack(front)
	w := front.Value.(*line).queue.Front().Value.(*waiter)
	l.remove(w)
	return w
}

func (l *lines) remove(w *waiter) {
	q := l.of[w.tenant]
	q.queue.Remove(w.place)
	l.waiting--
	if q.queue.Len() == 0 {
		l.ring.Remove(q.turn)
		delete(l.of, w.tenant)
	}
}

// lastOfLongest is the newest request of the longest line: the one that would be served last.
func (l *lines) lastOfLongest() *waiter {
	var longest *line
	for e := l.ring.Front(); e != nil; e = e.Next() {
		if q := e.Value.(*line); longest == nil || q.queue.Len() > longest.queue.Len() {
			longest = q
		}
	}
	return longest.queue.Back().Value.(*waiter)
}

// ahead counts the requests served before a new one of the tenant: its own line, and one of every other line for each.
func (l *lines) ahead(t id.Tenant) int {
	own := l.length(t)
	n := own
	for _, q := range l.of {
		if q.tenant != t {
			n += min(q.queue.Len(), own+1)
		}
	}
	return n
}

// end wakes a request that has left the line: with a slot, or with the reason why it gets none.
func (w *waiter) end(err error) {
	w.ended, w.err = true, err
	close(w.done)
}
