package main

import (
	"context"
	"fmt"
	"time"
)

// severalCreators make tenants at once.
const severalCreators = 4

// growTo makes tenants until there are so many. The last ones are made durably and timed: with all their tables to make,
// and then from blank schemas that the service has made ready. Those before are made without syncs, which are most of the
// time otherwise.
func (f *fleet) growTo(ctx context.Context, size int, into *[]createFigures) error {
	ready := min(f.ready, size-len(f.tenants))
	anew := min(f.creates, size-len(f.tenants)-ready)
	if before := size - ready - anew; before > len(f.tenants) {
		if err := f.fill(ctx, before); err != nil {
			return err
		}
	}
	made := len(f.tenants)
	for _, way := range []struct{ tenants, blanks int }{{anew, 0}, {ready, ready}} {
		figures, err := f.createFrom(ctx, way.tenants, way.blanks)
		if err != nil {
			return err
		}
		*into = append(*into, figures...)
	}
	return f.serving(ctx, func(r *replica) error {
		return each(ctx, 2, size-made, func(i int) error { return f.tenants[made+i].newUser(ctx, r) })
	})
}

// fill makes tenants and their users without syncs.
func (f *fleet) fill(ctx context.Context, size int) error {
	if err := f.restart(ctx, false); err != nil {
		return err
	}
	err := f.serving(ctx, func(r *replica) (err error) {
		for next := len(f.tenants); err == nil && len(f.tenants) < size; { // in steps, to say how far it is
			next = min(size, next+1000)
			f.tenants, err = f.grow(ctx, r, f.tenants, next)
			say("%d tenants", len(f.tenants))
		}
		return err
	})
	return joinUnless(err, f.restart(ctx, true))
}

// createFrom times the making of n tenants: half of them one after the other, and half by several creators. There are so
// many blank schemas ready before, over all databases; of 0 the service keeps none.
func (f *fleet) createFrom(ctx context.Context, n, blanks int) (all []createFigures, err error) {
	if n == 0 {
		return nil, nil
	}
	f.keepReady((blanks + len(f.places)) / (1 + len(f.places)))
	defer f.keepReady(0)
	return all, f.serving(ctx, func(r *replica) error {
		if err := f.awaitBlanks(ctx, blanks); err != nil {
			return err
		}
		for _, by := range []struct{ creators, share int }{{1, n - n/2}, {severalCreators, n / 2}} {
			if by.share == 0 {
				continue
			}
			c, err := f.create(ctx, r, by.creators, by.share)
			if err != nil {
				return err
			}
			c.Ready = blanks > 0
			all = append(all, c)
		}
		return nil
	})
}

// keepReady sets how many blank schemas a server keeps in each database from its next start.
func (f *fleet) keepReady(perDatabase int) {
	f.env = append(f.env, fmt.Sprintf("GATEHOUSE_READY_SCHEMAS=%d", perDatabase)) // the last one counts
}

// awaitBlanks waits until the service has made as many, which it does slowly on purpose.
func (f *fleet) awaitBlanks(ctx context.Context, wanted int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+5*time.Second*time.Duration(wanted))
	defer cancel()
	for {
		are, err := f.blanks(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %d blank schemas: %w", wanted, err)
		}
		if are >= wanted {
			return nil
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// create times the making of n tenants, without their users.
func (f *fleet) create(ctx context.Context, r *replica, creators, n int) (createFigures, error) {
	first := len(f.tenants)
	f.tenants = append(f.tenants, make([]tenant, n)...)
	took := make([]time.Duration, n)
	began := time.Now()
	err := each(ctx, creators, n, func(i int) (err error) {
		f.tenants[first+i], took[i], err = f.newTenant(ctx, r, first+i, fmt.Sprint("tenant-", first+i))
		return err
	})
	return newCreateFigures(creators, took, time.Since(began)), err
}

// createFigures are how long it takes to make tenants.
type createFigures struct {
	Ready     bool    `json:"ready"`    // from blank schemas
	Creators  int     `json:"creators"` // at once
	Count     int     `json:"count"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	PerSecond float64 `json:"per_second"`
}

func newCreateFigures(creators int, took []time.Duration, wall time.Duration) createFigures {
	return createFigures{Creators: creators, Count: len(took), P50: millis(quantile(took, 0.5)), P99: millis(quantile(took, 0.99)),
		PerSecond: float64(len(took)) / max(wall, time.Microsecond).Seconds()}
}
