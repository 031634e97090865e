package tenancy

import "math/rand/v2"

// mostTenants is how many different tenants a connection serves before it is retired, and up to half as many more, so that
// not all are at once. A backend keeps what it has read of each tenant's catalog, some tens of kB, until it is closed.
const mostTenants = 400

// wear is the different tenants that a connection has served.
type wear struct {
	most   int
	served map[string]struct{}
}

func newWear(most int) wear {
	return wear{most + rand.N(most/2+1), map[string]struct{}{}} //nolint:gosec // nothing secret
}

// by notes a visit.
func (w *wear) by(namespace string) { w.served[namespace] = struct{}{} }

// has reports a visit.
func (w *wear) has(namespace string) bool { _, ok := w.served[namespace]; return ok }

// tenants counts them.
func (w *wear) tenants() int { return len(w.served) }

// out reports a connection that has served enough.
func (w *wear) out() bool { return w.tenants() >= w.most }
