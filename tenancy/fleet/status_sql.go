package fleet

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// Status is how the fleet stands, as the directory remembers it.
type Status struct {
	Version  int       `json:"version"` // that tenants are to be at
	Counts   []Count   `json:"counts"`
	Failures []Failure `json:"failures"` // the newest first
}

// Count is the tenants of one database at one version.
type Count struct {
	Database string `json:"database"`
	Version  int    `json:"version"`
	Tenants  int    `json:"tenants"`
	Failed   int    `json:"failed"` // of them, the last attempt to bring them further
}

// ReadStatus reads how the fleet stands. directory is the URL of the provisioning role where the directory is.
func ReadStatus(ctx context.Context, directory string, set migrations.Set) (s Status, err error) {
	conn, err := pgx.Connect(ctx, directory)
	if err != nil {
		return s, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	s.Version = set.Latest()
	const failing = `m.state <> 'done' and t.schema_version < m.version`
	rows, err := conn.Query(ctx, `select t.database, t.schema_version, count(*), count(*) filter (where `+failing+`)
		from control.tenants t left join control.tenant_migrations m on m.tenant_id = t.id
		where t.state <> 'provisioning' group by 1, 2 order by 1, 2`)
	if err != nil {
		return s, err
	}
	if s.Counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Count]); err != nil {
		return s, err
	}
	rows, err = conn.Query(ctx, `select t.id, t.slug, t.database, t.schema_version, m.state, m.error, m.attempted_at
		from control.tenants t join control.tenant_migrations m on m.tenant_id = t.id
		where t.state <> 'provisioning' and `+failing+` order by m.attempted_at desc, t.id`)
	if err != nil {
		return s, err
	}
	s.Failures, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Failure, error) {
		f, err := pgx.RowToStructByPos[Failure](row)
		f.At = f.At.UTC()
		return f, err
	})
	return s, err
}
