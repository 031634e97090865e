package tenancy

import "slices"

const (
	// ownTenants is how many tenants a connection has statements of their own for. A statement with its plan takes about
	// 30 kB of the backend.
	ownTenants = 8

	// seenTenants is among how many visits a tenant has to come twice to get its own: of a thousand that come in turn none
	// does, and the connection does not spend its time with preparing what is not used again.
	seenTenants = 16
)

// known is the tenants that a connection has served lately. Postgres keeps one plan of a statement, and makes it anew when
// the schema is another than it was made for. So the busiest tenants of a connection have the same statements under names
// of their own, and with them plans that others do not take away; the rest share one set.
//
// It is names to choose by and no more: a plan that was made in one schema is not used in another, whatever it is called.
type known struct {
	own  []string // the one served longest ago first
	seen []string // likewise
}

// serve notes a visit and reports whether the tenant has statements of its own.
func (k *known) serve(namespace string) bool {
	if i := slices.Index(k.own, namespace); i >= 0 {
		k.own = append(slices.Delete(k.own, i, i+1), namespace)
		return true
	}
	if i := slices.Index(k.seen, namespace); i >= 0 {
		k.seen = slices.Delete(k.seen, i, i+1)
		k.own = push(k.own, namespace, ownTenants)
		return true
	}
	k.seen = push(k.seen, namespace, seenTenants)
	return false
}

// has reports whether a tenant has statements of its own.
func (k *known) has(namespace string) bool { return slices.Contains(k.own, namespace) }

// push adds to the end, at the expense of the beginning.
func push(names []string, name string, most int) []string {
	if len(names) == most {
		names = slices.Delete(names, 0, 1)
	}
	return append(names, name)
}
