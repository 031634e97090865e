package tenancy

import (
	"testing"
	"time"
)

// TestLongWorkLeavesAConnectionToCreation: two tenants are counted, which takes as long as somebody holds a table of each, with
// no more connections than two.
func TestLongWorkLeavesAConnectionToCreation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	o := p.options
	o.Control = NewProvisioningDB(provisioningPool(t, p.ProvisionerURL, 2), p.pool.User())
	o.Placements = map[string]Placement{testDatabase: {o.Control, 1000}}
	o.Ready = 1
	busy := NewProvisioner(o)
	holder := p.behind(t)
	_, err := holder.Exec(t.Context(), "begin")
	check(t, err)
	counted := make(chan error, 2)
	for range cap(counted) {
		tenant := p.tenant(t)
		_, err := holder.Exec(t.Context(), "lock table "+namespace(tenant.ID)+".users")
		check(t, err)
		go func() { _, err := busy.Preview(t.Context(), tenant.ID); counted <- err }()
	}
	within(t, 5*time.Second, "one of them is counted", func() bool {
		return len(o.Control.long) == 1 && o.Control.pool.Stat().AcquiredConns() == 1
	})
	if more, err := busy.refill(t.Context(), o.Placements[testDatabase]); more || err != nil {
		t.Errorf("a blank schema is made meanwhile: %v %v", more, err)
	}
	for range 3 {
		_, err := busy.Create(t.Context(), wanted())
		check(t, err)
	}
	_, err = holder.Exec(t.Context(), "commit")
	check(t, err)
	for range cap(counted) {
		check(t, <-counted)
	}
}
