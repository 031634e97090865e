package tenancy

import "slices"

// overtaken is how often the first in the line lets somebody pass whose tenant the connection knows. Without it
// connections would change tenants at each turn just when there are too few of them, and plan most of the time.
const overtaken = 8

// waiter stands in a pool's line.
type waiter struct {
	namespace string
	passed    int       // how often somebody was called before it while it stood first
	got       chan turn // takes one without waiting
}

// turn is what a waiter is given.
type turn struct {
	conn *conn
	err  error
}

// choose is which of the idle connections, the longest idle first, is best for a namespace: the last one that knows it, else of
// those that were there before, whose backends have its catalog, the one that has been at the fewest, and else of all. So
// tenants are divided among connections. One that has been at less than half as many as the one that was there takes its
// tenants over, until they are even: it was opened later. It is -1 if there is none.
func choose(idle []*conn, namespace string) int {
	there, fewest := -1, -1
	for i, c := range slices.Backward(idle) {
		if c.knows(namespace) {
			return i
		}
		if c.wear.has(namespace) && (there < 0 || c.wear.tenants() < idle[there].wear.tenants()) {
			there = i
		}
		if fewest < 0 || c.wear.tenants() <= idle[fewest].wear.tenants() {
			fewest = i
		}
	}
	if there >= 0 && 2*idle[fewest].wear.tenants() >= idle[there].wear.tenants() {
		return there
	}
	return fewest
}

// call is whose turn it is when a connection comes back: the first in the line, unless it is not known there, somebody
// behind it is, and it was not passed too often. It is -1 if nobody waits.
func call(line []*waiter, c *conn) int {
	if len(line) == 0 {
		return -1
	}
	i := slices.IndexFunc(line, func(w *waiter) bool { return c.knows(w.namespace) })
	if i <= 0 || line[0].passed == overtaken {
		return 0
	}
	line[0].passed++
	return i
}
