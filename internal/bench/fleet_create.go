package main

import (
	"context"
	"fmt"
	"time"
)

// severalCreators make tenants at once.
const severalCreators = 4

// growTo makes tenants until there are so many. The last ones are made durably and timed, half of them one after the
// other and half by several creators; those before are made without syncs, which are most of the time otherwise.
func (f *fleet) growTo(ctx context.Context, size int, into *[]createFigures) error {
	timed := min(f.creates, size-len(f.tenants))
	if untimed := size - timed; untimed > len(f.tenants) {
		if err := f.fill(ctx, untimed); err != nil {
			return err
		}
	}
	return f.serving(ctx, func(r *replica) error {
		made := len(f.tenants)
		for _, creators := range []int{1, severalCreators} {
			until := size
			if creators == 1 {
				until -= timed / 2
			}
			c, err := f.create(ctx, r, creators, until-len(f.tenants))
			if err != nil {
				return err
			}
			if c.Count > 0 {
				*into = append(*into, c)
			}
		}
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
