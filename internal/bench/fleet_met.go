package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// metFigures are what a server keeps in memory for each tenant that it has met, who asks nothing now. It is by how much
// the same server's heap grew between some tenants met and all, connections and buffers being there before.
type metFigures struct {
	Tenants int     `json:"tenants"`       // between both
	Kept    float64 `json:"kept_bytes"`    // what a collection of garbage leaves, per tenant
	With    float64 `json:"with_headroom"` // the heap the server lets grow before it collects again, per tenant
}

const (
	fewMet = 64 // tenants that a server meets first
	// manyMet: with fewer, what connections keep of the tenants they serve most is more than what is kept of each.
	manyMet = 1000
)

// measureMet has a server meet few tenants and then all of them: each is asked for its public keys, and by its
// administrator for its settings.
func (f *fleet) measureMet(ctx context.Context, s *sizeOfFleet) error {
	few := min(fewMet, len(f.tenants)/10)
	if few == 0 {
		return nil
	}
	return f.serving(ctx, func(r *replica) error {
		const warm = 1000 // requests: every connection is open, every statement prepared
		if err := f.meet(ctx, r, warm, few); err != nil {
			return err
		}
		before, err := f.settledHeap(ctx, r)
		if err != nil {
			return err
		}
		if err := f.meet(ctx, r, len(f.tenants), len(f.tenants)); err != nil {
			return err
		}
		after, err := f.settledHeap(ctx, r)
		if err != nil {
			return err
		}
		n := len(f.tenants) - few
		with := (after.next - before.next) / float64(n)
		s.Met = metFigures{Tenants: n, With: with, Kept: with / (1 + after.headroom/100)}
		return nil
	})
}

// meet asks one tenant after the other of the first ones.
func (f *fleet) meet(ctx context.Context, r *replica, times, first int) error {
	return each(ctx, 4, times, func(i int) error {
		t := &f.tenants[i%first]
		if _, later, err := f.keysOf(ctx, r, i%first); err != nil || later > 0 {
			return errors.Join(err, ctx.Err())
		}
		return ask(ctx, call{method: http.MethodGet, url: r.url + "/v1/settings", host: t.host, key: t.key, once: "read"}, nil, http.StatusOK, nil)
	})
}

// heap is what Go says of a server's memory in its metrics.
type heap struct {
	next        float64 // bytes at which garbage is collected again: what the last collection left, and headroom
	headroom    float64 // percent of what is left
	collections float64
}

// settledHeap reads the heap after two more collections: the first may have begun before what we want to know, and what
// pools hold is given up at the second.
func (f *fleet) settledHeap(ctx context.Context, r *replica) (heap, error) {
	began, err := f.heapNow(ctx)
	now := began
	for err == nil && now.collections < began.collections+2 {
		if err = f.meet(ctx, r, 50, 1); err == nil {
			now, err = f.heapNow(ctx)
		}
	}
	return now, err
}

func (f *fleet) heapNow(ctx context.Context) (heap, error) {
	a, err := call{method: http.MethodGet, url: "http://" + f.metrics + "/metrics"}.do(ctx)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s was answered %d", a.asked, a.status)
	}
	if err != nil {
		return heap{}, err
	}
	return parseHeap(string(a.body))
}

func parseHeap(text string) (h heap, err error) {
	for name, to := range map[string]*float64{"go_memstats_next_gc_bytes": &h.next, "go_gc_gogc_percent": &h.headroom, "go_gc_duration_seconds_count": &h.collections} {
		_, rest, found := strings.Cut(text, "\n"+name+" ")
		figure, _, _ := strings.Cut(rest, "\n")
		if *to, err = strconv.ParseFloat(figure, 64); err != nil || !found {
			return h, fmt.Errorf("the metrics have no %s", name)
		}
	}
	return h, nil
}
