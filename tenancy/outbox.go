package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Ledger keeps the tenants' audit logs. Package audit satisfies it.
type Ledger interface {
	// Draft makes the entry of an event of a tenant, to be added later, and its id.
	Draft(ctx context.Context, t id.Tenant, e Event) (entry uuid.UUID, text string, err error)
	// Append adds a drafted entry to the log of the transaction's tenant, unless it is there.
	Append(ctx context.Context, tx Tx, entry string) error
}

// Outbox takes what happens in the directory to the tenants' audit logs. The entry is written beside its cause, in one
// transaction, and lies there until it is in the log; it is taken there right after the commit, and if that fails by
// whichever replica asks next. It may be taken there twice, and is added once.
type Outbox struct {
	DB        *DB
	Directory *Directory
	Ledger    Ledger
	Log       *slog.Logger
}

// outgoing is an entry on its way.
type outgoing struct {
	id     uuid.UUID
	tenant id.Tenant
	about  id.Tenant // zero: nothing has to come first
	entry  string

	database string // the tenant's, where it was read with the entry
}

// entries are those of one cause.
type entries struct {
	outbox *Outbox
	all    []outgoing
}

// bundle begins one. Without an outbox nobody keeps a log, and what is put into the bundle is forgotten.
func (o *Outbox) bundle() *entries { return &entries{outbox: o} }

// put writes an entry beside its cause.
func (b *entries) put(ctx context.Context, tx querier, t id.Tenant, e Event) error {
	return b.putAbout(ctx, tx, t, id.Tenant{}, e)
}

func (b *entries) putAbout(ctx context.Context, tx querier, t, about id.Tenant, e Event) error {
	if b.outbox == nil {
		return nil
	}
	entry, text, err := b.outbox.Ledger.Draft(ctx, t, e)
	if err != nil {
		return err
	}
	x := outgoing{id: entry, tenant: t, about: about, entry: text}
	b.all = append(b.all, x)
	return insertOutgoing(ctx, tx, x, e.At)
}

// deliver is called when the cause is committed. Nobody is told of a failure: the cause has happened, and the entry is safe.
func (b *entries) deliver(ctx context.Context) {
	if b.outbox != nil {
		b.outbox.deliver(context.WithoutCancel(ctx), b.all)
	}
}

// deliverAbout takes there what waited for a tenant to be usable.
func (o *Outbox) deliverAbout(ctx context.Context, t id.Tenant) {
	if o == nil {
		return
	}
	var all []outgoing
	err := o.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) (err error) {
		all, err = dueOutgoing(ctx, tx, `about = $1`, t)
		return err
	})
	if err != nil {
		o.complain(ctx, t, err)
		return
	}
	o.deliver(ctx, all)
}

// Run takes away what lies in the outbox, until ctx ends. Nearly always there is nothing.
func (o *Outbox) Run(ctx context.Context) {
	for tick := time.NewTicker(10 * time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if err := o.DeliverAll(ctx); err != nil && ctx.Err() == nil {
			o.complain(ctx, id.Tenant{}, err)
		}
	}
}

// DeliverAll takes away what lies there now, a thousand at most.
func (o *Outbox) DeliverAll(ctx context.Context) error {
	var all []outgoing
	err := o.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) (err error) {
		all, err = dueOutgoing(ctx, tx, `true`)
		return err
	})
	o.deliver(ctx, all)
	return err
}

// deliver leaves the rest of a tenant that cannot be reached to a later try, or of all tenants of its database where that
// does not answer, and goes on with the others.
func (o *Outbox) deliver(ctx context.Context, all []outgoing) {
	stuck, away := map[id.Tenant]bool{}, map[string]bool{}
	for _, x := range all {
		if stuck[x.tenant] || x.database != "" && away[x.database] || ctx.Err() != nil {
			continue
		}
		if err := o.deliverOne(ctx, x); err != nil {
			stuck[x.tenant] = true
			away[x.database] = x.database != "" && o.DB.Away(ctx, x.database)
			o.complain(ctx, x.tenant, err)
		}
	}
}

func (o *Outbox) deliverOne(ctx context.Context, x outgoing) error {
	t, err := o.Directory.ByID(ctx, x.tenant)
	if errors.Is(err, ErrUnknown) { // made a moment ago, and remembered here as nobody
		t, err = o.Directory.Read(ctx, x.tenant)
	}
	if err != nil {
		return err
	}
	if err := o.DB.InTx(ctx, t, func(ctx context.Context, tx Tx) error { return o.Ledger.Append(ctx, tx, x.entry) }); err != nil {
		return err
	}
	return o.DB.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error { return deleteOutgoing(ctx, tx, x.id) })
}

func (o *Outbox) complain(ctx context.Context, t id.Tenant, err error) {
	o.Log.LogAttrs(ctx, slog.LevelWarn, "audit: an entry waits in the outbox", slog.String("tenant", t.String()), slog.Any("error", err))
}
