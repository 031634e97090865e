package fairshare

import (
	"container/heap"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// lines holds who waits at a Gate, one line per tenant, and decides who is next: start-time fair queueing (Goyal, Vin and
// Cheng, 1996) with measured times where packets have lengths. Its owner holds the lock.
//
// Of each tenant is known what it has had; of those that wait, who has had least is next. now is what a tenant that had
// wanted all along would have had: with each second of a slot it goes on by that second over the number of tenants that
// want or have one. Who comes begins at now, so nobody saves up by staying away. Who leaves and is ahead of now is
// remembered until now has caught up, so nobody loses what it had by going and coming back.
//
// So there is a line for each tenant that holds a slot or waits, which are bounded, and for those who left and are ahead.
// These are about as many at most: whoever leaves has taken now on by its part of what it had. When nobody is left all
// is forgotten.
type lines struct {
	each    int // slots one tenant may hold
	of      map[id.Tenant]*line
	waiters order // those with somebody waiting who may have a slot
	gone    order // those with nobody, who have had more than now
	now     time.Duration
	waiting int    // requests
	active  int    // tenants that hold a slot or wait
	turns   uint64 // given so far
}

func newLines(each int) lines { return lines{each: each, of: map[id.Tenant]*line{}} }

// line is the tenant's, or a new one whose requests are taken to cost mean.
func (l *lines) line(t id.Tenant, mean time.Duration) *line {
	q := l.of[t]
	if q == nil {
		q = &line{tenant: t, mean: mean}
		l.of[t] = q
	}
	return q
}

// wake counts a tenant that begins to want something.
func (l *lines) wake(q *line) {
	if q.active {
		return
	}
	q.active = true
	l.active++
	l.gone.take(q)
	q.had = max(q.had, l.now)
	l.turns++
	q.turn = l.turns
}

// push puts a request at the end of its tenant's line.
func (l *lines) push(w *waiter) {
	l.wake(w.line)
	w.place = w.line.list(w.behind).PushBack(w)
	l.waiting++
	l.place(w.line)
}

// next takes the request whose turn it is out of its line; nil if there is none.
func (l *lines) next() *waiter {
	if len(l.waiters) == 0 {
		return nil
	}
	q := l.waiters[0]
	l.now = max(l.now, q.had)
	w := q.first()
	l.remove(w)
	return w
}

func (l *lines) remove(w *waiter) {
	w.line.list(w.behind).Remove(w.place)
	l.waiting--
	l.place(w.line)
}

// charge counts a slot that a tenant gets, and what it will probably cost.
func (l *lines) charge(q *line) (charged time.Duration) {
	l.wake(q)
	l.turns++
	q.turn = l.turns
	q.running++
	q.had += q.mean
	l.place(q)
	return q.mean
}

// settle counts a slot that comes back, and what it did cost.
func (l *lines) settle(q *line, took, charged time.Duration) {
	l.now += took / time.Duration(l.active)
	q.running--
	q.had += took - charged
	l.place(q)
	l.tidy(q)
}

// place puts the line where its state belongs.
func (l *lines) place(q *line) {
	l.waiters.take(q)
	if q.len() > 0 && q.running < l.each {
		heap.Push(&l.waiters, q)
	}
}

// tidy forgets a tenant that wants nothing any more, and those that now has caught up with.
func (l *lines) tidy(q *line) {
	if q.demand() > 0 {
		return
	}
	if q.active {
		q.active = false
		l.active--
	}
	if l.active == 0 {
		clear(l.of)
		l.gone, l.now = nil, 0
		return
	}
	l.gone.take(q)
	heap.Push(&l.gone, q)
	for len(l.gone) > 0 && l.gone[0].had <= l.now {
		delete(l.of, heap.Pop(&l.gone).(*line).tenant)
	}
}

// longest is the line with the most requests. Somebody waits.
func (l *lines) longest() (most *line) {
	for _, q := range l.of {
		if most == nil || q.len() > most.len() {
			most = q
		}
	}
	return most
}
