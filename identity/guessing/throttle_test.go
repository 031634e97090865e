package guessing

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

func TestWhoHangsUpIsHashedBehindOthersFromThenOn(t *testing.T) {
	t.Parallel()
	h := &Throttle{ThrottleOptions: ThrottleOptions{DB: &tenancy.DB{}}, local: newLocal()} // a tenant of no database: nothing to give back
	now := time.Now()
	try := func(address string, end func(context.Context) (context.Context, context.CancelFunc)) bool {
		y := Try{network: networkOf(netip.MustParseAddr(address)), at: now, release: func() {}}
		ctx, done := end(t.Context())
		defer done()
		h.Refund(ctx, tenancy.Tenant{}, y)
		return h.local.failing(y.network, now)
	}
	if try("192.0.2.1", func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, -1) }) {
		t.Error("an outage of ours counts against the network")
	}
	if !try("192.0.2.2", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, hangUp := context.WithCancel(ctx)
		hangUp()
		return ctx, hangUp
	}) {
		t.Error("a client that hangs up is hashed before all others for ever")
	}
}
