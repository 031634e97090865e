package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// deletion is a row of deletions.
type deletion struct {
	Tenant          id.Tenant
	Slug            Slug
	Region          string
	Database        string
	Domains         []Host
	CreatedAt       time.Time
	DeletedAt       time.Time
	Inventory       string // JSON
	KeysDestroyedAt *time.Time
	SchemaDroppedAt *time.Time
	Receipt         string
}

const deletionColumns = `tenant_id, slug, region, database, domains, created_at, deleted_at, coalesce(inventory, ''),
	keys_destroyed_at, schema_dropped_at, coalesce(receipt, '')`

func scanDeletion(row pgx.CollectableRow) (d deletion, err error) {
	err = row.Scan(&d.Tenant, &d.Slug, &d.Region, &d.Database, &d.Domains, &d.CreatedAt, &d.DeletedAt, &d.Inventory,
		&d.KeysDestroyedAt, &d.SchemaDroppedAt, &d.Receipt)
	d.CreatedAt, d.DeletedAt = d.CreatedAt.UTC(), d.DeletedAt.UTC()
	return d, err
}

func oneDeletion(ctx context.Context, tx provisionTx, sql string, args ...any) (deletion, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return deletion{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDeletion)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return d, err
}

func readDeletion(ctx context.Context, tx provisionTx, t id.Tenant) (deletion, error) {
	return oneDeletion(ctx, tx, `select `+deletionColumns+` from deletions where tenant_id = $1`, t)
}

func (p *Provisioner) readDeletion(ctx context.Context, t id.Tenant) (d deletion, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		d, err = readDeletion(ctx, tx, t)
		return err
	})
	return d, err
}

// doomed is what a deletion wants to know of a tenant.
type doomed struct {
	Slug     Slug
	State    State
	Master   bool
	Region   string
	Database string
	After    *time.Time // when it is to be deleted, of one that is
	Domains  []Host     // those it has proved
}

const readsDoomed = `select slug, state, is_master, region, database, delete_after, array(select domain from domains
	where tenant_id = tenants.id and verified_at is not null order by domain) from tenants where id = $1 and state <> 'provisioning'`

func scanDoomed(row pgx.Row) (d doomed, err error) {
	err = row.Scan(&d.Slug, &d.State, &d.Master, &d.Region, &d.Database, &d.After, &d.Domains)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	if d.After != nil {
		*d.After = d.After.UTC()
	}
	return d, err
}

// lockDoomed keeps everybody else from changing the tenant, and from claiming domains for it, until commit.
func lockDoomed(ctx context.Context, tx provisionTx, t id.Tenant) (doomed, error) {
	if err := oneAtATime(ctx, tx, t); err != nil {
		return doomed{}, err
	}
	return scanDoomed(tx.QueryRow(ctx, readsDoomed+` for update`, t))
}

func (p *Provisioner) readDoomed(ctx context.Context, t id.Tenant) (d doomed, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		d, err = scanDoomed(tx.QueryRow(ctx, readsDoomed, t))
		return err
	})
	return d, err
}

// bury puts a row of deletions in the place of everything that the directory holds of a tenant. A trigger parks its slug. What
// was on its way to its log goes with the log; answers kept for repetition could be opened no more.
func bury(ctx context.Context, tx provisionTx, t id.Tenant, now time.Time) (d deletion, err error) {
	d, err = oneDeletion(ctx, tx, `insert into deletions (tenant_id, slug, region, database, domains, created_at, deleted_at)
		select id, slug, region, database, array(select domain from domains where tenant_id = $1 and verified_at is not null order by domain),
			created_at, $2 from tenants where id = $1
		returning `+deletionColumns, t, now)
	for _, statement := range []string{
		`delete from domains where tenant_id = $1`,
		`delete from audit_outbox where tenant_id = $1`,
		`delete from idempotency_keys where starts_with(scope, $1::uuid::text || ' ')`,
		`delete from tenants where id = $1`,
	} {
		if err == nil {
			_, err = tx.Exec(ctx, statement, t)
		}
	}
	if Violates(err, "tenant_moves_tenant_id_fkey") {
		err = problem.Unavailable(5*time.Second, ErrMoving)
	}
	return d, err
}

// condemn sets the time of a deletion to come.
func condemn(ctx context.Context, tx provisionTx, t id.Tenant, after, now time.Time) error {
	_, err := tx.Exec(ctx, `update tenants set state = 'deleting', state_before = state, delete_after = $2, updated_at = $3 where id = $1`, t, after, now)
	return err
}

// reprieve is the reverse.
func reprieve(ctx context.Context, tx provisionTx, t id.Tenant, now time.Time) error {
	_, err := tx.Exec(ctx, `update tenants set state = state_before, state_before = null, delete_after = null, updated_at = $2 where id = $1`, t, now)
	return err
}

// note says that a step was done, unless somebody has said so before, and is the row as it then is.
func (p *Provisioner) note(ctx context.Context, t id.Tenant, column string, value any) (d deletion, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		d, err = oneDeletion(ctx, tx, `update deletions set `+column+` = coalesce(`+column+`, $2) where tenant_id = $1 returning `+deletionColumns, t, value)
		return err
	})
	return d, err
}

// fileReceipt keeps a receipt if there is none.
func fileReceipt(ctx context.Context, tx provisionTx, t id.Tenant, jws string) (first bool, err error) {
	tag, err := tx.Exec(ctx, `update deletions set receipt = $2 where tenant_id = $1 and receipt is null`, t, jws)
	return err == nil && tag.RowsAffected() == 1, err
}

// toDestroy are the tenants whose grace period ended, and the deletions that began before a time and have no receipt:
// of these the oldest of each database, by turns, so that what waits for one that is away keeps no other waiting.
func (p *Provisioner) toDestroy(ctx context.Context, now, before time.Time) (due []id.Tenant, left []deletion, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		rows, err := tx.Query(ctx, `select id from tenants where state = 'deleting' and delete_after <= $1 order by delete_after limit 100`, now)
		if err != nil {
			return err
		}
		if due, err = pgx.CollectRows(rows, pgx.RowTo[id.Tenant]); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `select `+deletionColumns+` from (
				select *, row_number() over (partition by database order by deleted_at) as turn
				from deletions where receipt is null and deleted_at < $1) begun
			order by turn, deleted_at limit 100`, before)
		if err != nil {
			return err
		}
		left, err = pgx.CollectRows(rows, scanDeletion)
		return err
	})
	return due, left, err
}

// Lookup is the id of the tenant that has a slug, or of the one that had it when it was deleted. Errors: ErrUnknown.
func (p *Provisioner) Lookup(ctx context.Context, s Slug) (t id.Tenant, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		err := tx.QueryRow(ctx, `select id from tenants where slug = $1 and state <> 'provisioning'
			union all select tenant_id from deletions where slug = $1`, s).Scan(&t)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUnknown
		}
		return err
	})
	return t, err
}

// drop takes a tenant's jobs, schema and role out of its database; what is not there is no error. The lock is that of making a
// schema, for the same race.
//
// A request that was let in before the deletion began may hold a table and want another one, while this holds that and wants
// the first: then Postgres ends one of the two. Nobody new comes in, so the second or third try finds nobody.
func (p *Provisioner) drop(ctx context.Context, t id.Tenant, database string) error {
	place, err := p.placement(database)
	if err != nil {
		return err
	}
	name := namespace(t)
	for range 3 {
		err = place.inLongTx(ctx, func(ctx context.Context, c provisionTx) error {
			if _, err := c.Exec(ctx, `select set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(hashtextextended($1, 0))`, name); err != nil {
				return err
			}
			if _, err := c.Exec(ctx, `delete from `+migrations.JobsSchema+`.river_job where args @> jsonb_build_object('tenant', $1::text)`, t.String()); err != nil {
				return err
			}
			if _, err := c.Exec(ctx, `drop schema if exists `+name+` cascade`); err != nil {
				return err
			}
			return dropRole(ctx, c, name, place.runtimeRole)
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// dropRole drops a tenant's role. Roles are the server's: where another installation in a database beside this one has the tenant, too,
// the role is that one's from now on, and the serving role here is no member of it any more.
func dropRole(ctx context.Context, c provisionTx, name, runtimeRole string) error {
	var elsewhere bool
	err := c.QueryRow(ctx, `select exists (select from pg_shdepend d join pg_roles r on r.oid = d.refobjid
		where r.rolname = $1 and d.refclassid = 'pg_authid'::regclass and d.dbid not in (0, (select oid from pg_database where datname = current_database())))`, name).Scan(&elsewhere)
	if err != nil {
		return err
	}
	if elsewhere {
		_, err = c.Exec(ctx, `revoke `+name+` from `+pgx.Identifier{runtimeRole}.Sanitize())
		return err
	}
	_, err = c.Exec(ctx, `drop role if exists `+name)
	return err
}
