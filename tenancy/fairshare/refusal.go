package fairshare

import (
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// full reports whether the tenant's line is as long as it may be, or so long that the newest would wait in vain. Its first
// request always may wait: if that is too long, others are the reason.
func (g *Gate) full(q *line) bool {
	return q.len() >= g.o.PerTenant || q.len() > 0 && g.wait(q) > g.o.MaxWait
}

// wait estimates when another request of the tenant would be served: after all of its own line, and in each other line
// after as much as its share is meanwhile.
func (g *Gate) wait(q *line) time.Duration {
	own := time.Duration(q.len()+1) * q.mean
	all := own
	for _, other := range g.lines.waiters {
		if other != q {
			all += min(time.Duration(other.len())*other.mean, own)
		}
	}
	return max(all/time.Duration(g.o.Slots), own/time.Duration(g.o.Each))
}

// refusal is what a request of the tenant that gets no place is told: 429 if the tenant wants more than the others do on
// average, for then they are not to blame, and 503 if all want too much.
func (g *Gate) refusal(q *line) error {
	own, others := q.demand(), g.lines.active
	if own > 0 {
		others--
	}
	theirs := g.running + g.lines.waiting - own
	if others == 0 || (own+1)*others > theirs {
		return problem.RateLimited(g.wait(q)).With(ErrBusy)
	}
	return problem.Unavailable(g.wait(q), ErrBusy)
}
