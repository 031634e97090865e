package tenancy

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// beginDiscard marks the import, in one statement: whoever activates it at the same moment does so before, and then it is a tenant and
// unknown here, or finds the mark.
func (b *Bundles) beginDiscard(ctx context.Context, s Slug) (t id.Tenant, database, mark string, err error) {
	err = b.Provisioner.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		err := tx.QueryRow(ctx, `update tenants set blueprint = case when starts_with(blueprint, $2) then blueprint else $2 || blueprint end
			where slug = $1 and state = 'provisioning' and created_at = 'infinity' returning id, database, blueprint`, s, discarding).Scan(&t, &database, &mark)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUnknown
		}
		return err
	})
	return t, database, mark, err
}

// wanted refuses to go on with an import that is being taken back or was.
func (a *arrival) wanted(ctx context.Context) error {
	return a.Provisioner.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		var state, mark string
		err := tx.QueryRow(ctx, `select state, coalesce(blueprint, '') from tenants where id = $1`, a.tenant.ID).Scan(&state, &mark)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && state == "provisioning" && mark != a.mark() {
			return ErrDiscarded
		}
		return err
	})
}

// overtaken is why an import could not be ended: another run of it was faster, which is well, or it was taken back.
func (a *arrival) overtaken(ctx context.Context, tx provisionTx) error {
	var ended bool
	err := tx.QueryRow(ctx, `select exists (select from tenants where id = $1 and state <> 'provisioning')`, a.tenant.ID).Scan(&ended)
	if err == nil && !ended {
		err = ErrDiscarded
	}
	return err
}
