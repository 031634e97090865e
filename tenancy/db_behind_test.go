package tenancy

import (
	"context"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// TestATenantThatIsBehindIsUnavailable: what a replica of an older version made after the fleet was migrated lacks a column.
func TestATenantThatIsBehindIsUnavailable(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	p.do(t, `alter table `+namespace(tenant.ID)+`.users drop column avatar`)
	ways := map[string]func(Tenant) error{
		"InTx": func(of Tenant) error {
			return p.db.InTx(t.Context(), of, func(ctx context.Context, tx Tx) error { _, err := tx.Exec(ctx, `select avatar from users`); return err })
		},
		"InBatch": func(of Tenant) error {
			return p.db.InBatch(t.Context(), of, func(b *Batch) { b.Queue(`select avatar from users`) })
		},
		"a table": func(of Tenant) error {
			return p.db.InBatch(t.Context(), of, func(b *Batch) { b.Queue(`select from of_a_later_version`) })
		},
	}
	if n, first, err := p.directory.Behind(t.Context()); n != 0 || first != "" || err != nil {
		t.Errorf("%d tenants are behind, first %q, %v", n, first, err)
	}
	for what, do := range ways {
		if err := do(tenant); problem.Is(err, "unavailable") || sqlState(err) == "" {
			t.Errorf("%s: a fault of ours is told as %v", what, err)
		}
	}
	p.do(t, `update control.tenants set schema_version = $2 where id = $1`, tenant.ID, migrations.LatestTenant-1)
	behind, err := p.directory.Read(t.Context(), tenant.ID)
	check(t, err)
	for what, do := range ways {
		unavailable(t, what, func() error { return do(behind) })
	}
	if n, first, err := p.directory.Behind(t.Context()); n != 1 || first != tenant.Slug || err != nil {
		t.Errorf("%d tenants are behind, first %q, %v", n, first, err)
	}
}
