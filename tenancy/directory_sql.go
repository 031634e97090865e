package tenancy

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tenantColumns = `t.id, t.slug, t.name, t.locale, t.region, t.database, t.state, t.is_master, t.signing_algorithm,
	coalesce(t.owner_email, ''), coalesce(t.owner_name, ''), t.owner_user_id, t.schema_version, t.created_at, t.updated_at,
	coalesce((select p.domain from domains p where p.tenant_id = t.id and p.is_primary), ''), ` + formerIssuers

func scanTenant(row pgx.CollectableRow) (t Tenant, err error) {
	err = row.Scan(&t.ID, &t.Slug, &t.Name, &t.Locale, &t.Region, &t.Database, &t.State, &t.Master, &t.SigningAlgorithm,
		&t.OwnerEmail, &t.OwnerName, &t.OwnerID, &t.SchemaVersion, &t.CreatedAt, &t.UpdatedAt, &t.PrimaryDomain, &t.FormerIssuers)
	t.CreatedAt, t.UpdatedAt = t.CreatedAt.UTC(), t.UpdatedAt.UTC()
	return t, err
}

// served are the tenants that requests can be of, listed those that administrators of the platform see.
const (
	served = `t.state in ('active', 'suspended')`
	listed = `t.state <> 'provisioning'`
)

func oneTenant(ctx context.Context, tx directoryTx, where string, args ...any) (Tenant, error) {
	rows, err := tx.Query(ctx, `select `+tenantColumns+` from tenants t where `+where, args...)
	if err != nil {
		return Tenant{}, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return Tenant{}, ErrUnknown
	}
	return t, err
}

func tenantByID(ctx context.Context, tx directoryTx, t id.Tenant) (Tenant, error) {
	return oneTenant(ctx, tx, served+` and t.id = $1`, t)
}

func knownTenant(ctx context.Context, tx directoryTx, t id.Tenant) (Tenant, error) {
	return oneTenant(ctx, tx, listed+` and t.id = $1`, t)
}

func platformTenant(ctx context.Context, tx directoryTx) (Tenant, error) {
	return oneTenant(ctx, tx, served+` and t.is_master`)
}

func tenantBySlug(ctx context.Context, tx directoryTx, s Slug) (Tenant, error) {
	return oneTenant(ctx, tx, served+` and t.slug = $1`, s)
}

func tenantByFormerSlug(ctx context.Context, tx directoryTx, s Slug) (Tenant, error) {
	return oneTenant(ctx, tx, served+` and t.id = (select f.tenant_id from former_issuers f where f.host = '' and f.slug = $1)`, s)
}

func tenantByDomain(ctx context.Context, tx directoryTx, h Host, use Use) (Tenant, error) {
	return oneTenant(ctx, tx, served+` and t.id = (select d.tenant_id from domains d
		where d.domain = $1 and d.verified_at is not null and $2 = any(d.uses))`, h, use)
}

// Announce tells every replica, when the transaction commits, that something it may remember of the tenant has changed. What
// is announced in a database is heard by those who listen there, so replicas listen at each.
func Announce(ctx context.Context, tx Tx) error {
	_, err := tx.Exec(ctx, `select pg_notify('gatehouse_directory', $1)`, tx.tenant.ID.String())
	return err
}

func listTenants(ctx context.Context, tx directoryTx, after id.Tenant, limit int) ([]Tenant, error) {
	rows, err := tx.Query(ctx, `select `+tenantColumns+` from tenants t
		where `+listed+` and t.id > $1 order by t.id limit $2`, [16]byte(after), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanTenant)
}

// Listen hears of changes until ctx ends and keeps the directory true. Whenever the connection is lost the directory
// trusts its records for two seconds only, and once it is back forgets them all, because announcements made meanwhile
// are lost.
func (d *Directory) Listen(ctx context.Context, log *slog.Logger) {
	var others sync.WaitGroup
	defer others.Wait()
	for database, silent := range d.silent {
		others.Go(func() { d.listenAt(ctx, d.db.pools[database], silent, log.With("database", database)) })
	}
	d.listenAt(ctx, d.db.control, &d.deaf, log)
}

func (d *Directory) listenAt(ctx context.Context, at *Pool, deaf *atomic.Bool, log *slog.Logger) {
	said := false // once for each time that it is lost
	for ctx.Err() == nil {
		err := d.hear(ctx, at, deaf)
		if heard := !deaf.Swap(true); heard || !said {
			said = true
			if ctx.Err() == nil {
				log.LogAttrs(ctx, slog.LevelWarn, "directory: no announcements, reconnecting", slog.Any("error", err))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (d *Directory) hear(ctx context.Context, at *Pool, deaf *atomic.Bool) error {
	// A connection of its own: LISTEN belongs to a connection, and the pool's ones are retired.
	conn, err := pgx.ConnectConfig(ctx, at.direct.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// Bounded, or a server that hangs now would never be asked again, also when it is back.
	begin, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := direct(begin, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(begin, "listen gatehouse_directory"); err != nil {
		return err
	}
	d.forgetAll()
	deaf.Store(false)
	for {
		n, err := announcement(ctx, conn)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		if t, err := id.ParseTenant(n.Payload); err == nil {
			d.Forget(t)
		} else {
			d.forgetAll()
		}
	}
}
