package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stormers sign in at one tenant as fast as they are answered: of two cores its share is one hash or two at a time.
const stormers = 20

// shareFigures are requests of other tenants, in quiet and while one tenant is stormed.
type shareFigures struct {
	Others []otherFigures `json:"others"`
	Lost   int            `json:"lost"`                // of the others' requests, in the storm: asked to wait
	Served int64          `json:"storm_served"`        // of the storm's
	Turned int64          `json:"storm_asked_to_wait"` // likewise
}

// otherFigures are one action's. FloorP50 and FloorP99 are not measured.
type otherFigures struct {
	Action string `json:"action"`
	Quiet  timing `json:"quiet"`
	Storm  timing `json:"storm"`
}

// measureShare visits all tenants but the first, a pause after each request, in quiet and while the first one is stormed.
func (f *fleet) measureShare(ctx context.Context) error {
	s := &shareFigures{}
	actions := []action{{name: "login", once: f.signInAt}, {name: "refresh", once: f.refreshAt}, {name: "JWKS", once: f.keysOf}}
	err := f.serving(ctx, func(r *replica) error {
		quiet, lost, err := f.calmly(ctx, r, actions)
		if err != nil {
			return err
		}
		if lost > 0 {
			return fmt.Errorf("in quiet %d requests were asked to wait", lost)
		}
		stop := f.storm(ctx, r, s)
		storm, lost, err := f.calmly(ctx, r, actions)
		s.Lost = lost
		if failed := stop(); err == nil {
			err = failed
		}
		for i, a := range actions {
			s.Others = append(s.Others, otherFigures{a.name, newTiming(quiet[i], nil), newTiming(storm[i], nil)})
		}
		return err
	})
	f.report.Share = s
	return err
}

// calmly takes turns at the actions, and lets the server rest between two requests.
func (f *fleet) calmly(ctx context.Context, r *replica, actions []action) (took [][]time.Duration, lost int, err error) {
	took = make([][]time.Duration, len(actions))
	others := draw(uniformly, len(f.tenants)-1, f.calm*len(actions), 0)
	for i, tenant := range others {
		at := i % len(actions)
		done, later, err := f.askInOrder(ctx, r, actions[at], 1, []int{tenant + 1})
		if err != nil {
			return nil, 0, err
		}
		took[at], lost = slices.Concat(took[at], done), lost+later
		wait(ctx, 20*time.Millisecond)
	}
	return took, lost, ctx.Err()
}

// storm begins and returns how to end it. Who is asked to wait asks again after a tenth of a second all the same.
func (f *fleet) storm(ctx context.Context, r *replica, s *shareFigures) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	failures := make(chan error, stormers)
	for range stormers {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, later, err := f.signInAt(ctx, r, 0)
				switch {
				case err != nil:
					if ctx.Err() == nil {
						failures <- err
					}
					return
				case later > 0:
					atomic.AddInt64(&s.Turned, 1)
					wait(ctx, 100*time.Millisecond)
				default:
					atomic.AddInt64(&s.Served, 1)
				}
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		select {
		case err := <-failures:
			return err
		default:
			return nil
		}
	}
}

func (r *fleetReport) shareTable() (t table) {
	s := r.Share
	if s == nil {
		return nil
	}
	t.row("others, while one tenant is stormed, ms p50 / p99", "in quiet", "in the storm", "times")
	for _, o := range s.Others {
		t.row(o.Action, fmt.Sprintf("%.1f / %.1f", o.Quiet.P50, o.Quiet.P99), fmt.Sprintf("%.1f / %.1f", o.Storm.P50, o.Storm.P99), fmt.Sprint(o.Storm.Count))
	}
	t.row("the storm's requests served, asked to wait", fmt.Sprint(s.Served), fmt.Sprint(s.Turned))
	return t
}

// mostInStorm is the others' p99 over that in quiet.
const mostInStorm = 2.0

func (r *fleetReport) judgeShare() {
	if r.Share == nil {
		return
	}
	for _, o := range r.Share.Others {
		r.atMost(o.Action+" p99 of others, one tenant stormed over quiet", mostInStorm, o.Storm.P99/o.Quiet.P99)
	}
	r.atMost("requests of others lost in the storm", 0, float64(r.Share.Lost))
}
