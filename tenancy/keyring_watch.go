package tenancy

import (
	"context"
	"log/slog"
	"time"
)

// watchEvery is how often a replica asks whose keys have changed.
const watchEvery = 10 * time.Second

// Watch asks the directory whose keys have changed, every ten seconds until ctx ends, and has d forget those tenants. As long as
// it is answered, keys are trusted for as long as the record of their tenant, and a tenant that nobody asked for in half a minute
// costs its next request nothing. Where it is not, they are read again as they would be without it.
func (k *Keyring) Watch(ctx context.Context, d *Directory, log *slog.Logger) {
	for tick := time.NewTicker(watchEvery); ; {
		if err := k.look(ctx, d); err != nil && ctx.Err() == nil {
			log.LogAttrs(ctx, slog.LevelWarn, "keys: could not ask whose have changed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// look asks once. The first time all is forgotten, because nobody knows what changed before it.
//
// Two races go the safe way: a revocation is written down in the directory before it is done, and its tenant is in the answer until
// it is; and the time that counts is the one before the question was asked.
func (k *Keyring) look(ctx context.Context, d *Directory) error {
	began := k.now()
	changed, at, err := k.changedSince(ctx, k.watch.last)
	if err != nil {
		return err
	}
	if k.watch.last.IsZero() {
		d.forgetAll()
	}
	for _, t := range changed {
		d.Forget(t)
	}
	k.watch.last = at
	k.watch.asked.Store(&began)
	return nil
}

// unchanged is until when what was read, and not forgotten since, is known to be so still.
func (k *Keyring) unchanged() time.Time {
	if at := k.watch.asked.Load(); at != nil {
		return *at
	}
	return time.Time{}
}
