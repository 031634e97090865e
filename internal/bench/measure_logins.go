package main

import (
	"context"
	"runtime"
	"slices"
	"time"
)

// measureLogins: for each number of clients, logins and bare hashes in turn, and the memory both take.
func (b *bench) measureLogins(ctx context.Context) error {
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, b.accounts); err != nil {
			return err
		}
		among := b.tenants[:b.accounts]
		if _, err := b.signIn(ctx, r, 4, b.login, among); err != nil { // caches fill, heaps grow
			return err
		}
		for _, clients := range b.clients {
			rounds, err := b.alternate(ctx, r, clients, b.rounds, among)
			if err != nil {
				return err
			}
			b.report.Logins = append(b.report.Logins, newLoginFigures(clients, rounds))
			for _, x := range rounds {
				b.report.Memory.Busy = max(b.report.Memory.Busy, x.memory)
				b.report.Memory.Hashes = max(b.report.Memory.Hashes, x.hashMemory)
			}
		}
		return nil
	})
}

// round is a stretch of logins and one of bare hashes beside it.
type round struct {
	logins             logins
	hashed             hashed
	memory, hashMemory int64 // at most
}

// alternate takes rounds in both orders, so that a trend of the machine does not go to one side. There are as many bare
// hashes at a time as the server can have.
func (b *bench) alternate(ctx context.Context, r *replica, clients, rounds int, among []tenant) ([]round, error) {
	all := make([]round, rounds)
	for i := range all {
		x := &all[i]
		steps := []func() error{
			func() (err error) {
				stop := watch(r.pid())
				x.logins, err = b.signIn(ctx, r, clients, b.login, among)
				x.memory = stop()
				return err
			},
			func() (err error) {
				stop := watch(b.hashes.pid())
				x.hashed, err = b.hashes.run(min(clients, runtime.NumCPU()), b.hash)
				x.hashMemory = stop()
				return err
			},
		}
		for j := range steps {
			if err := steps[(i+j)%2](); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// measureSizes: the installation grows to each size, and one client signs in at tenants chosen at random. Growing to
// the greatest one happens without syncs; what is measured is durable. There, each size is also visited in turn.
func (b *bench) measureSizes(ctx context.Context, sizes []int) error {
	for _, size := range sizes {
		if err := b.growTo(ctx, size); err != nil {
			return err
		}
		err := b.serving(ctx, func(r *replica) error {
			if err := b.measureSize(ctx, r, size); err != nil || size != slices.Max(b.sizes) {
				return err
			}
			return b.measureVisits(ctx, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) growTo(ctx context.Context, size int) error {
	grow := func() error {
		return b.serving(ctx, func(r *replica) error { return b.have(ctx, r, size) })
	}
	if size-len(b.tenants) <= 100 {
		return grow()
	}
	if err := b.restartPostgres(ctx, false); err != nil {
		return err
	}
	if err := grow(); err != nil {
		return err
	}
	if err := b.restartPostgres(ctx, true); err != nil {
		return err
	}
	return b.tidy(ctx)
}

func (b *bench) measureSize(ctx context.Context, r *replica, size int) error {
	var first []time.Duration
	for i := range b.tenants[:size] { // the first login at a tenant reads what the later ones remember
		took, _, err := login(ctx, r, &b.tenants[i])
		if err != nil {
			return err
		}
		first = append(first, took)
	}
	rounds, err := b.alternate(ctx, r, 1, b.sizeRounds, b.tenants[:size])
	if err != nil {
		return err
	}
	f := newLoginFigures(1, rounds)
	b.report.Sizes = append(b.report.Sizes, sizeFigures{Tenants: size, P50: f.P50, HashP50: f.HashP50, First: millis(quantile(first, 0.5)),
		Server: f.CPU.Server, Postgres: f.CPU.Postgres, Vault: f.CPU.Vault, PerHash: f.P50 / f.HashP50})
	return nil
}

// measureVisits: to the greatest installation, where all caches are warm, at as many of its tenants as there were before.
func (b *bench) measureVisits(ctx context.Context, r *replica) error {
	took := make([][]time.Duration, len(b.report.Sizes))
	for i := range b.sizeRounds * len(took) {
		// Each size is first, second and last equally often.
		at := (i + i/len(took)) % len(took)
		done, err := b.signIn(ctx, r, 1, b.login/2, b.tenants[:b.report.Sizes[at].Tenants])
		if err != nil {
			return err
		}
		took[at] = append(took[at], done.took...)
	}
	for i := range took {
		b.report.Sizes[i].VisitedP50 = millis(quantile(took[i], 0.5))
	}
	return nil
}
