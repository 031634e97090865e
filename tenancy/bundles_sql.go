package tenancy

import (
	"cmp"
	"context"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/relocation"
)

// snapshot is a tenant's schema at one moment.
type snapshot struct {
	conn   *pgx.Conn
	schema string
}

// atOneMoment lets fn read a tenant's schema, on a connection of its own. Who moves, migrates or drops the tenant waits meanwhile;
// the lock is shared, so several may read. Errors: ErrMoving.
func (p *Provisioner) atOneMoment(ctx context.Context, t Tenant, fn func(context.Context, snapshot) error) error {
	place, err := p.placement(t.Database)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, place.pool.Config().ConnConfig)
	if err != nil {
		return classify(ctx, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	name := namespace(t.ID)
	// The lock comes before the transaction, whose moment would else be one before the lock was had, when a move was about to commit.
	var mine, there bool
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock_shared(hashtextextended($1, 0))`, name).Scan(&mine); err != nil || !mine {
		return cmp.Or(classify(ctx, err), ErrMoving)
	}
	if database, err := p.databaseOf(ctx, t.ID); err != nil || database != t.Database {
		return cmp.Or(err, ErrMoving)
	}
	if _, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return classify(ctx, err)
	}
	if err := conn.QueryRow(ctx, isSchema, name).Scan(&there); err != nil || !there {
		return cmp.Or(classify(ctx, err), ErrUnknown)
	}
	return fn(ctx, snapshot{conn, name})
}

// versions are those of the schema and of its newest signing key.
func (s snapshot) versions(ctx context.Context) (schema, key int, err error) {
	err = s.conn.QueryRow(ctx, `select (select version from `+s.schema+`.schema_migrations), (select coalesce(max(version), 0) from `+s.schema+`.signing_keys)`).
		Scan(&schema, &key)
	return schema, key, err
}

// sealedIn are the sealed values of a column.
func (s snapshot) sealedIn(ctx context.Context, c SealedColumn) ([]sealedValue, error) {
	rows, err := s.conn.Query(ctx, `select id, `+c.User+`, `+c.Column+` from `+s.schema+`.`+c.Table+` where `+c.Sealed)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v sealedValue, err error) {
		return v, row.Scan(&v.row, &v.user, &v.sealed)
	})
}

func (s snapshot) send(ctx context.Context, w *bundle.Writer) error {
	all, err := relocation.Tables(ctx, s.conn, s.schema, leftBehind...)
	if err != nil {
		return err
	}
	for _, t := range all {
		err := w.Part(bundle.Header{Name: t.Name, Columns: t.Columns}, func(to io.Writer) error {
			return relocation.Send(ctx, s.conn, s.schema, t, to)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claims are the domains of a tenant, as it may claim them elsewhere, without the one that it was given here.
func (b *Bundles) claims(ctx context.Context, t id.Tenant) (all []bundle.Domain, err error) {
	err = b.Provisioner.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		rows, err := tx.Query(ctx, `select domain, uses from domains where tenant_id = $1
			and not (verified_at is not null and next_check_at = 'infinity') order by domain`, t)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d bundle.Domain, err error) {
			return d, row.Scan(&d.Domain, &d.Uses)
		})
		return err
	})
	return all, err
}
