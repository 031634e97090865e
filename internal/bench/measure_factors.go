package main

import (
	"context"
	"sync/atomic"
	"time"
)

// measureFactors: second factors and their floor in turn, and then challenges that nobody comes back for.
func (b *bench) measureFactors(ctx context.Context) error {
	const spread = 8 // tenants
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, spread); err != nil {
			return err
		}
		among := b.tenants[:spread]
		accounts, err := newAccounts(ctx, r, b.factorAccounts, among)
		if err != nil {
			return err
		}
		floor, err := b.newFactorFloor(ctx)
		if err != nil {
			return err
		}
		defer floor.close(context.WithoutCancel(ctx))
		for _, kind := range []factorKind{
			{"code of an app", accounts, func(a *account) (call, error) { return a.byCode(ctx, r, time.Now()) }, floor.code},
			{"security key", accounts, func(a *account) (call, error) { return a.byKey(ctx, r) }, floor.assertion},
		} {
			for _, clients := range b.factorClients {
				rounds, err := b.alternateFactors(ctx, r, kind, clients, among)
				if err != nil {
					return err
				}
				b.report.Factors = append(b.report.Factors, newFactorFigures(kind.name, clients, rounds))
			}
		}
		return b.abandon(ctx, r, accounts, among)
	})
}

// factorKind is a kind of second factor.
type factorKind struct {
	name     string
	accounts []*account
	begin    func(*account) (call, error) // the request that proves it
	floor    func(context.Context) error
}

// factorRound is a stretch of proofs and one of their floor beside it.
type factorRound struct{ proved, floor stretch }

// alternateFactors takes rounds in both orders. Each account proves once a round; its challenge is begun before, because
// what comes before a challenge is a password or a session, and is not measured here.
func (b *bench) alternateFactors(ctx context.Context, r *replica, k factorKind, clients int, among []tenant) ([]factorRound, error) {
	all := make([]factorRound, b.factorRounds)
	for i := range all {
		x := &all[i]
		proofs, err := b.beginAll(ctx, k, among)
		if err != nil {
			return nil, err
		}
		steps := []func() error{
			func() (err error) { x.proved, err = b.prove(ctx, r, clients, proofs); return err },
			func() (err error) {
				x.floor, err = b.stretch(nil, clients, len(proofs), func(int) error { return k.floor(ctx) })
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

func (b *bench) beginAll(ctx context.Context, k factorKind, among []tenant) ([]call, error) {
	if err := b.forgetSteps(ctx, among); err != nil {
		return nil, err
	}
	proofs := make([]call, len(k.accounts))
	return proofs, each(ctx, 8, len(proofs), func(i int) (err error) {
		proofs[i], err = k.begin(k.accounts[i])
		return err
	})
}

// abandon begins challenges and comes back for none of them.
func (b *bench) abandon(ctx context.Context, r *replica, accounts []*account, among []tenant) (err error) {
	f := &b.report.Abandoned
	f.Begun, f.Users = b.abandoned, len(accounts)
	if f.RowsBefore, f.BytesBefore, err = b.pending(ctx, among); err != nil {
		return err
	}
	var begun atomic.Int64
	err = each(ctx, 8, b.abandoned, func(i int) error {
		_, err := accounts[i%len(accounts)].stepUp(ctx, r)
		if n := int(begun.Add(1)); n%max(1, b.abandoned/10) == 0 && n < b.abandoned {
			say("factors: %d challenges begun and abandoned", n)
		}
		return err
	})
	if err != nil {
		return err
	}
	f.RowsAfter, f.BytesAfter, err = b.pending(ctx, among)
	return err
}
