package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	// keyRounds is how often a replica asks what is due.
	keyRounds = 5 * time.Second
	// keyBatch is how many tenants are seen to in a round: ten thousand that nobody has looked at are a matter of minutes.
	keyBatch = 50
	// ownRequest is how long a request is left to whoever wrote it down.
	ownRequest = 30 * time.Second
	// keyRetry is after how long a tenant that could not be seen to is tried again, others first.
	keyRetry = time.Minute
)

// Run sees to all tenants' keys until ctx ends. Every replica does; what two of them take up at once is done once.
func (r *Rotator) Run(ctx context.Context) {
	for tick := time.NewTicker(keyRounds); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if err := r.Round(ctx); err != nil && ctx.Err() == nil {
			r.Log.LogAttrs(ctx, slog.LevelWarn, "keys: could not see to all that is due", slog.Any("error", err))
		}
	}
}

// errAside is a tenant that was passed over because its database does not answer.
var errAside = errors.New("tenancy: its database is away")

// Round does what was asked for and left undone, and takes the steps that are due. Of a database that does not answer only one
// tenant is waited for: with each of them, a round would be longer than what is urgent elsewhere can wait.
func (r *Rotator) Round(ctx context.Context) error {
	var left []keyRequest
	var due []id.Tenant
	now := r.now()
	err := r.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) (err error) {
		if left, err = leftKeyRequests(ctx, tx, now.Add(-ownRequest), keyBatch); err != nil {
			return err
		}
		due, err = dueTenants(ctx, tx, now, keyBatch)
		return err
	})
	failed, away := []error{err}, map[string]bool{}
	for _, q := range left {
		err := r.see(ctx, q.tenant, away, func(ctx context.Context, t Tenant) error { return r.perform(ctx, t, q) })
		if !errors.Is(err, errAside) {
			failed = append(failed, err)
		}
	}
	for _, t := range due {
		switch err := r.see(ctx, t, away, r.Advance); {
		case errors.Is(err, errAside):
			failed = append(failed, r.putOff(ctx, t))
		case err != nil:
			failed = append(failed, err, r.putOff(ctx, t))
		}
	}
	return errors.Join(failed...)
}

// see calls do for a tenant, as it is in the directory now, if it still is and its database is not among those away. errAside:
// it is.
func (r *Rotator) see(ctx context.Context, tid id.Tenant, away map[string]bool, do func(context.Context, Tenant) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	t, err := r.Directory.Read(ctx, tid)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	if away[t.Database] {
		return errAside
	}
	err = do(ctx, t)
	if errors.Is(err, ErrUnknown) { // deleted since it was read
		return nil
	}
	if err != nil {
		away[t.Database] = r.DB.Away(ctx, t.Database)
	}
	return err
}

func (r *Rotator) putOff(ctx context.Context, t id.Tenant) error {
	was, err := r.noted(ctx, t)
	if err == nil {
		_, err = r.note(ctx, t, was, r.now().Add(keyRetry))
	}
	if errors.Is(err, ErrUnknown) { // deleted meanwhile
		return nil
	}
	return err
}
