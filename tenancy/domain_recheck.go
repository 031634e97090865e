package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A proved domain is looked up again about once a day. Where DNS says that the proof is gone, or is another, the tenant has a
// time of grace to put it back, and is told; if it is gone still when that is over the domain is lost, as if it had been given up.
//
//	verified --absent--> failing --grace over, absent--> lost
//	             ^----found----'
//
// A server that does not answer, or cannot, says nothing about the proof: it neither begins the grace nor ends it, and no
// domain is lost while it lasts.
const (
	checkEvery  = 24 * time.Hour
	missEvery   = time.Hour        // once the proof is missing
	unsureEvery = 15 * time.Minute // once DNS has not answered
	leastMisses = 3                // in a row, before a domain is lost, however long ago the first was

	checkLease   = 2 * time.Minute // after which the lookup of a process that died is somebody else's
	checksAtOnce = 8               // of a replica
	checksLeased = 48              // at a time: more than fit into the lease must not wait for their turn
)

// DefaultGrace is how long a proof may be missing.
const DefaultGrace = 72 * time.Hour

// Recheck looks up what is due, until ctx ends. Any number of replicas may do it: each lookup is one's.
func (s *Domains) Recheck(ctx context.Context, log *slog.Logger, every time.Duration) {
	for {
		if err := s.RecheckDue(ctx); err != nil && ctx.Err() == nil {
			log.LogAttrs(ctx, slog.LevelWarn, "domains: what is due could not all be looked up again", slog.Any("error", err))
		}
		// Replicas that were started together need not ask together.
		t := time.NewTimer(every + rand.N(every/4)) //nolint:gosec // spreads load, hides nothing
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// RecheckDue looks up what is due now and not being looked up by others.
func (s *Domains) RecheckDue(ctx context.Context) error {
	for ctx.Err() == nil {
		due, err := s.lease(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := s.recheckAll(ctx, due); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Domains) lease(ctx context.Context) (due []leased, err error) {
	now := s.Now()
	err = s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		due, err = leaseChecks(ctx, tx, now, now.Add(checkLease), checksLeased)
		return err
	})
	return due, err
}

// recheckAll goes on where one fails: what is not written is due again when the lease is over.
func (s *Domains) recheckAll(ctx context.Context, due []leased) error {
	var all sync.WaitGroup
	slots := make(chan struct{}, checksAtOnce)
	errs := make([]error, len(due))
	for i, d := range due {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.recheck(ctx, d)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *Domains) recheck(ctx context.Context, d leased) error {
	if s.exempt(d.Domain.Domain) {
		return s.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error { return neverCheck(ctx, tx, d) })
	}
	seen := s.look(ctx, d.Domain)
	if err := ctx.Err(); err != nil { // we are stopping, and DNS was not given its time
		return err
	}
	return s.note(ctx, d, seen)
}

// exempt reports whether nobody has to prove the name: the platform gave it, or DNS could say nothing about it.
func (s *Domains) exempt(h Host) bool { return s.platforms(h, nil) || s.unproved(h) }

// note writes down what a lookup has shown, unless somebody has looked since.
func (s *Domains) note(ctx context.Context, d leased, seen evidence) error {
	now, system := s.Now(), Actor{Type: BySystem}
	return s.change(ctx, d.Tenant, system, func(ctx context.Context, tx directoryTx, told *entries) error {
		switch seen {
		case unsure:
			return postpone(ctx, tx, d, spread(now, unsureEvery))
		case found:
			is, ours, err := noteFound(ctx, tx, d, now, spread(now, checkEvery))
			if err != nil || !ours || d.FailingSince == nil {
				return err
			}
			return told.put(ctx, tx, d.Tenant, is.event("domain.restored", system, now))
		default:
			is, ours, err := noteMissing(ctx, tx, d, now, spread(now, missEvery))
			if err != nil || !ours {
				return err
			}
			return s.missing(ctx, tx, told, is, now)
		}
	})
}

// missing is what follows from a lookup that did not find the proof, by which the domain is what it is now.
func (s *Domains) missing(ctx context.Context, tx directoryTx, told *entries, d Domain, now time.Time) error {
	switch {
	case d.misses == 1:
		return told.put(ctx, tx, d.Tenant, d.warning("domain.failing", now).With("until", d.until(s.Grace)))
	case d.misses < leastMisses || now.Before(d.FailingSince.Add(s.Grace)):
		return nil
	}
	if err := loseDomain(ctx, tx, d, now); err != nil {
		return err
	}
	return told.put(ctx, tx, d.Tenant, d.warning("domain.lost", now))
}

// warning is an event with what administrators need to mend it. What is published is no secret.
func (d Domain) warning(a Action, at time.Time) Event {
	return d.event(a, Actor{Type: BySystem}, at).With("record", d.RecordName()).With("value", d.RecordValue())
}

// spread is a moment about so long after now: what came together does not come back together.
func spread(now time.Time, wait time.Duration) time.Time {
	return now.Add(wait - wait/10 + rand.N(wait/5)) //nolint:gosec // spreads load, hides nothing
}
