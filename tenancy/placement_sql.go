package tenancy

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// place counts what each database holds and chooses one, for a record that the same transaction inserts. The platform's own
// tenant goes to the directory in any case: no other database that is away shall keep administrators out.
//
// The lock closes the race of two that both count one place left: whoever comes second counts when the first one's record
// is committed. It is held for the rest of a transaction of a few small statements.
func (p *Provisioner) place(ctx context.Context, c provisionTx, t Tenant, away map[string]error) (string, error) {
	if t.Master && t.Database == "" {
		return p.Home, nil
	}
	if _, err := c.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('gatehouse placement', 0))`); err != nil {
		return "", err
	}
	held, err := countTenants(ctx, c)
	if err != nil {
		return "", err
	}
	return p.choose(t.Database, held, away)
}

// countTenants counts the records of each database, those of tenants that are still being made and those on their way there
// included.
func countTenants(ctx context.Context, q querier) (map[string]int, error) {
	rows, err := q.Query(ctx, `select database, count(*) from (
		select database from tenants union all select target from tenant_moves where state <> 'moved') held group by database`)
	if err != nil {
		return nil, err
	}
	held := map[string]int{}
	var name string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error { held[name] = n; return nil })
	return held, err
}

// Tenants is how many tenants each database holds.
func (d *Directory) Tenants(ctx context.Context) (held map[string]int, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		held, err = countTenants(ctx, tx)
		return err
	})
	return held, err
}

// VersionCount is how many tenants of one database are at one version of the schema.
type VersionCount struct {
	Database         string
	Version, Tenants int
}

// countVersions counts tenants by database and version, those that are still being made left out.
func countVersions(ctx context.Context, q querier) ([]VersionCount, error) {
	rows, err := q.Query(ctx, `select t.database, t.schema_version, count(*) from tenants t where `+listed+` group by 1, 2 order by 1, 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[VersionCount])
}

// Fleet is how many tenants each database holds, and at which versions they are.
func (d *Directory) Fleet(ctx context.Context) (held map[string]int, versions []VersionCount, err error) {
	err = d.db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		if held, err = countTenants(ctx, tx); err != nil {
			return err
		}
		versions, err = countVersions(ctx, tx)
		return err
	})
	return held, versions, err
}
