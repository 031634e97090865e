package tenancy

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Placement is a database that tenants can be put into, and how many it is meant for. With a capacity of 0 it takes no new
// ones.
type Placement struct {
	ProvisioningDB
	Capacity int
}

// noRoom is for an administrator of the platform, who can do something about it.
func noRoom(message string) *problem.Error {
	e := problem.New(problem.KindUnavailable, "capacity_exhausted", message)
	e.RetryAfter = time.Minute
	return e
}

// choose finds the place of a new tenant: the one wanted, or else the emptiest of those that answer, relative to what each
// is meant for. held is how many tenants each has. Errors: 503 capacity_exhausted, or unavailable where only databases that
// do not answer have room.
func (p *Provisioner) choose(wanted string, held map[string]int, away map[string]error) (string, error) {
	full := func(name string) bool { return held[name] >= p.Placements[name].Capacity }
	if wanted != "" {
		if full(wanted) {
			return "", noRoom("This database is full of tenants. Name another one or none, or raise its capacity.")
		}
		return wanted, away[wanted]
	}
	best, bestLoad, lost := "", 1.0, error(nil)
	for _, name := range slices.Sorted(maps.Keys(p.Placements)) {
		load := float64(held[name]) / float64(p.Placements[name].Capacity)
		switch {
		case full(name) || load >= bestLoad:
		case away[name] != nil:
			lost = away[name]
		default:
			best, bestLoad = name, load
		}
	}
	switch {
	case best != "":
		return best, nil
	case lost != nil:
		return "", lost
	}
	return "", noRoom("Every database is full of tenants. Add a database or raise a capacity.")
}

// away asks all placements at once whether they are there, so that the emptiest one does not draw every new tenant to it
// while it is down, nor while requests of its tenants would be refused.
func (p *Provisioner) away(ctx context.Context) map[string]error {
	var mu sync.Mutex
	var all sync.WaitGroup
	away := map[string]error{}
	for name, place := range p.Placements {
		all.Go(func() {
			err := place.answers(ctx)
			if err == nil && p.Serving != nil {
				err = p.Serving.putAside(name)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				away[name] = err
			}
		})
	}
	all.Wait()
	return away
}
