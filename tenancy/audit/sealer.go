package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Sealer signs each day's head of each tenant's log, beside requests and on every replica. It asks a tenant once a day and
// walks at an even pace, so that ten thousand tenants are one small query a second and not a burst at midnight.
type Sealer struct {
	Log       *Log
	Directory *tenancy.Directory
	Logger    *slog.Logger
	Pace      time.Duration // between two tenants; a second if zero
	Rest      time.Duration // between two rounds; ten minutes if zero

	day  string
	done map[id.Tenant]bool // of day: there is nothing more to do
}

// ErrBroken means that a log is not what was sealed of it earlier. Its head is not signed: the key shall not vouch for it.
var ErrBroken = errors.New("audit: an entry that was sealed is gone or altered")

// Run seals until ctx ends.
func (s *Sealer) Run(ctx context.Context) {
	for wait(ctx, 5*time.Second); ctx.Err() == nil; wait(ctx, cmp.Or(s.Rest, 10*time.Minute)) {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "audit: the round of seals was broken off and will be taken up again", slog.Any("error", err))
		}
	}
}

// Round seals the day that ended last for every tenant that has none yet. A database that is away is left out, and so is a
// tenant with a trouble of its own, such as a key that is gone: those after it are not to go without seals for that. While
// custody is away there is no use in asking for the next tenant, so the round ends there.
func (s *Sealer) Round(ctx context.Context) error {
	if day := lastDay(s.Log.Now()); day != s.day {
		s.day, s.done = day, map[id.Tenant]bool{}
	}
	const page = 250
	var after id.Tenant
	away := map[string]error{}
	var own error // of the first tenant with a trouble of its own
	for {
		tenants, err := s.Directory.List(ctx, after, page)
		if err != nil {
			return err
		}
		for _, t := range tenants {
			after = t.ID
			if away[t.Database] != nil {
				continue
			}
			switch err := s.visit(ctx, t); {
			case err == nil:
			case ctx.Err() != nil:
				return err
			case s.Log.DB.Away(ctx, t.Database):
				away[t.Database] = err
			case s.Log.Signer.Ready(ctx) != nil:
				return err
			default:
				own = cmp.Or(own, fmt.Errorf("tenant %s: %w", t.ID, err))
				wait(ctx, cmp.Or(s.Pace, time.Second))
			}
		}
		if len(tenants) < page {
			return errors.Join(append(slices.Collect(maps.Values(away)), own, ctx.Err())...)
		}
	}
}

func (s *Sealer) visit(ctx context.Context, t tenancy.Tenant) error {
	if s.done[t.ID] {
		return nil
	}
	err := s.Log.SealDay(ctx, t, s.day)
	switch {
	case err == nil:
		s.done[t.ID] = true
	case ctx.Err() != nil || passing(err):
		return err
	default:
		s.done[t.ID] = true // today: tomorrow it is said again
		s.Logger.LogAttrs(ctx, slog.LevelError, "audit: a day could not be sealed", slog.String("tenant", t.ID.String()),
			slog.String("day", s.day), slog.Any("error", err))
	}
	wait(ctx, cmp.Or(s.Pace, time.Second))
	return nil
}

// passing reports what may be well at the next round: something is away, or the tenant has a storm and its share is used up.
func passing(err error) bool {
	kind := problem.From(err).Kind
	return kind == problem.KindUnavailable || kind == problem.KindThrottled
}

const dayLayout = time.DateOnly

// lastDay is the newest day that is over, in UTC.
func lastDay(now time.Time) string { return now.UTC().AddDate(0, 0, -1).Format(dayLayout) }

// SealDay signs the head that a day ended with, if the day has no seal and there is an entry that none covers. It may be
// called by everybody at once.
func (l *Log) SealDay(ctx context.Context, t tenancy.Tenant, day string) error {
	begin, err := time.Parse(dayLayout, day)
	if err != nil {
		return err
	}
	var due dueSeal
	if err := l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { readDue(b, begin.AddDate(0, 0, 1), &due) }); err != nil {
		return err
	}
	if due.stillIs != due.last.Hash {
		return ErrBroken
	}
	if due.lastDay >= day || due.head.Seq <= due.last.Seq {
		return nil
	}
	s := Seal{Tenant: t.ID, Day: day, Seq: due.head.Seq, Hash: due.head.Hash, Sealed: l.Now().UTC().Truncate(time.Second)}
	jws, err := l.sign(ctx, t, s)
	if err != nil {
		return err
	}
	return l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { insertSeal(b, s, jws) })
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
