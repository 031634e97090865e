package tenancy

import (
	"context"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// rememberedTenants is how many tenants a PerTenant keeps the value of.
const rememberedTenants = 20_000

// PerTenant remembers what is read often and changes seldom, one value per tenant: its public keys, its settings.
//
// A value holds as long as the record of the tenant it was read for. Whoever changes what a PerTenant reads calls
// [Announce] in the transaction of the change: every replica's directory then drops the record, and the next one it
// reads has another stamp. A read that overlaps the change may keep the old value, but only under the old stamp.
type PerTenant[V any] struct {
	read   func(context.Context, Tenant) (V, error)
	cache  *lru.Cache[id.Tenant, stamped[V]]
	flight singleflight.Group
	within time.Duration // zero: a value is good as long as its record
	now    func() time.Time
	same   func() time.Time // until when values are known to be good, from elsewhere; nil: from nowhere
}

type stamped[V any] struct {
	stamp int64
	value V
	read  time.Time
}

// NewPerTenant makes a PerTenant of a function that reads the value.
func NewPerTenant[V any](read func(context.Context, Tenant) (V, error)) *PerTenant[V] {
	return &PerTenant[V]{read: read, cache: newLRU[id.Tenant, stamped[V]](rememberedTenants, nil), now: time.Now}
}

// Within bounds besides how long a value is used, for what must end in time whatever becomes of an announcement.
func (p *PerTenant[V]) Within(d time.Duration, now func() time.Time) *PerTenant[V] {
	p.within, p.now = d, now
	return p
}

// Unless lets the time of Within begin anew at a time up to which all values are known to be good.
func (p *PerTenant[V]) Unless(same func() time.Time) *PerTenant[V] {
	p.same = same
	return p
}

func (p *PerTenant[V]) fresh(s stamped[V], t Tenant) bool {
	if s.stamp != t.stamp {
		return false
	}
	return p.within == 0 || p.now().Sub(s.read) < p.within || p.same != nil && p.now().Sub(p.same()) < p.within
}

// Of is the value of a tenant. It is shared and must not be changed.
func (p *PerTenant[V]) Of(ctx context.Context, t Tenant) (V, error) {
	if t.stamp == 0 { // not from the directory's memory: a record nobody would tell us the end of
		return p.read(ctx, t)
	}
	if s, ok := p.cache.Get(t.ID); ok && p.fresh(s, t) {
		return s.value, nil
	}
	v, err, _ := p.flight.Do(t.ID.String()+" "+strconv.FormatInt(t.stamp, 36), func() (any, error) {
		began := p.now()
		v, err := p.read(context.WithoutCancel(ctx), t)
		if err == nil {
			p.cache.Add(t.ID, stamped[V]{t.stamp, v, began})
		}
		return v, err
	})
	if err != nil {
		var none V
		return none, err
	}
	return v.(V), nil
}
