package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// lockTenant reads what a change may change, and keeps two of them from acting on what the other is about to replace.
func lockTenant(ctx context.Context, tx provisionTx, t id.Tenant) (was Tenant, err error) {
	was.ID = t
	err = tx.QueryRow(ctx, `select slug, name, locale, state, is_master from tenants where id = $1 and state <> 'provisioning' for update`, t).
		Scan(&was.Slug, &was.Name, &was.Locale, &was.State, &was.Master)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return was, err
}

func updateTenant(ctx context.Context, tx provisionTx, t id.Tenant, c Change, now time.Time) error {
	_, err := tx.Exec(ctx, `update tenants set name = coalesce($2, name), locale = coalesce($3, locale), updated_at = $4,
			state = case $5::boolean when true then 'suspended' when false then 'active' else state end
		where id = $1`, t, c.Name, c.Locale, now, c.Suspended)
	return err
}

// platformID is the platform tenant, or zero where there is none yet.
func platformID(ctx context.Context, tx querier) (t id.Tenant, err error) {
	err = tx.QueryRow(ctx, `select id from tenants where is_master and state <> 'provisioning'`).Scan(&t)
	return t, OrNone(err)
}
