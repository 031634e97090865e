package tenancy

import (
	"context"
	"log/slog"
	"time"
)

// Most of the work of making a tenant is that of making its tables, and most of that is waiting for the disk. So each database
// keeps some blank schemas ready, each with its role and all tables and nothing in them. Whoever makes a tenant gives one of
// them the tenant's name, in the same transaction that fills it; where there is none left, the schema is built as ever.
//
// The catalog is the list of them: a blank is a schema whose name begins with blankPrefix. It is made, claimed and dropped
// in one transaction each, so no crash leaves half of one, and none is ever two tenants'.

const (
	refillPace = time.Second      // making one takes the disk from those who sign in
	refillRest = 10 * time.Second // between two looks at a database where enough are ready
)

// KeepReady keeps the wanted number of blank schemas in each database until ctx ends. Any number of replicas may do it: in
// each database one of them works at a time.
func (p *Provisioner) KeepReady(ctx context.Context) {
	if p.Ready == 0 {
		return
	}
	for wait := refillPace; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = refillRest
		for name, place := range p.Placements {
			if place.Capacity == 0 {
				continue
			}
			more, err := p.refill(ctx, place)
			if err != nil && ctx.Err() == nil {
				p.Log.LogAttrs(ctx, slog.LevelWarn, "provisioning: no schema could be made ready", slog.String("database", name), slog.Any("error", err))
			}
			if more {
				wait = refillPace
			}
		}
	}
}

// refill does one thing of what there is to do in a database: drop a blank that is older than this binary, or make one. more
// says that there may be more to do.
func (p *Provisioner) refill(ctx context.Context, place Placement) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = place.atLeisure(ctx, func(ctx context.Context, c provisionTx) error {
		more, err = refillOnce(ctx, c, p.Ready, place.runtimeRole)
		return err
	})
	return more && err == nil, err
}
