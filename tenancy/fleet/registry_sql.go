package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// behind are the tenants whose record says that they lack a migration; one query for all databases. The order is the same for
// every run, so that runs that begin together have the same canaries, and the platform's own tenant is no canary but
// where it is alone.
func (r *run) behind(ctx context.Context) ([]member, error) {
	rows, err := r.directory.Query(ctx, `select t.id, t.slug, t.database, t.schema_version, coalesce(m.state <> 'done' and m.version = $1, false)
		from control.tenants t left join control.tenant_migrations m on m.tenant_id = t.id
		where t.state <> 'provisioning' and (t.schema_version < $1 and $2 = '' or t.slug = $2)
		order by t.is_master, hashtextextended(t.id::text, 0)`, r.report.Version, string(r.Only))
	if err != nil {
		return nil, fmt.Errorf("the directory: %w", err)
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m member, err error) {
		return m, row.Scan(&m.id, &m.slug, &m.database, &m.version, &m.failed)
	})
	if err == nil && len(members) == 0 && r.Only != "" {
		err = ErrNoTenant
	}
	return members, err
}

// lives reports whether the tenant is still where it was.
func (r *run) lives(ctx context.Context, m member) (lives bool, err error) {
	err = r.directory.QueryRow(ctx, `select exists (select from control.tenants where id = $1 and database = $2 and state <> 'provisioning')`,
		m.id, m.database).Scan(&lives)
	return lives, err
}

// record keeps outcomes. A record only ever goes up: another run may have gone further since. A tenant that was deleted since
// has none, which may take a second try: it may be deleted between the two halves of the statement.
func (r *run) record(ctx context.Context, batch []outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ids, versions := make([]id.Tenant, len(batch)), make([]int, len(batch))
	states, errors := make([]string, len(batch)), make([]string, len(batch))
	for i, o := range batch {
		ids[i], versions[i], states[i], errors[i] = o.id, o.version, o.state(), o.text()
	}
	_, err := r.directory.Exec(ctx, `with o as (
			select * from unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) as o (id, version, state, error)
		), kept as (
			insert into control.tenant_migrations as m (tenant_id, version, state, error, attempted_at)
			select o.id, $5, o.state, case when o.state <> 'done' then o.error end, now() from o join control.tenants t on t.id = o.id order by o.id
			on conflict (tenant_id) do update set version = excluded.version, state = excluded.state, error = excluded.error, attempted_at = excluded.attempted_at
			where m.version <= excluded.version and (m.version, m.state, excluded.state) is distinct from (excluded.version, 'done', 'done')
		)
		update control.tenants t set schema_version = o.version from o where t.id = o.id and t.schema_version < o.version`,
		ids, versions, states, errors, r.report.Version)
	if tenancy.Violates(err, "tenant_migrations_tenant_id_fkey") {
		return r.record(ctx, batch)
	}
	if err != nil {
		return fmt.Errorf("the directory: %w", err)
	}
	return nil
}
