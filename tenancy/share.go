package tenancy

import (
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// newShare lets tenants share the connections of a pool by the time they hold them. A tenant may hold half: of what hangs on a
// table of it that is locked, no fairness takes connections back.
//
// A wait ends with the time of the transaction that waits. To run out of that is an outage of the database (503) and not of a
// budget, so the gate itself never ends one: it turns away only those for whom a line has no room.
func newShare(connections int) *fairshare.Gate {
	return fairshare.NewGate(fairshare.Options{
		Slots: connections, Each: max(1, connections/2), MaxWait: time.Minute, Cost: 2 * time.Millisecond,
	})
}
