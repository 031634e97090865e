package tenancy

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// updateSlug renames a tenant. A trigger parks the old slug and refuses one that is parked for another tenant, as if it were
// in use (see migrations/control).
func updateSlug(ctx context.Context, tx provisionTx, t id.Tenant, to Slug) error {
	_, err := tx.Exec(ctx, `update tenants set slug = $2 where id = $1`, t, to)
	if Violates(err, "tenants_slug_key") {
		return slugTaken().With(err)
	}
	return err
}

func slugTaken() *problem.Error {
	return problem.New(problem.KindConflict, "slug_taken", "This slug is taken.")
}

// giveDomain adds a domain that nobody has to prove, unless somebody holds the name; of a tenant without another it is the
// primary one. The caller has the domains' lock.
func giveDomain(ctx context.Context, tx provisionTx, d Domain) error {
	_, err := tx.Exec(ctx, `insert into domains (id, tenant_id, domain, uses, verification_token, verified_at, is_primary, created_at, next_check_at)
		select $1, $2, $3, $4, $5, $6, not exists (select from domains where tenant_id = $2 and is_primary), $7, 'infinity'
		on conflict do nothing`, d.ID, d.Tenant, d.Domain, d.Uses, d.VerificationToken, d.VerifiedAt, d.CreatedAt)
	return err
}

// Renamed reports whether a tenant that is now named one slug was named another before.
func (p *Provisioner) Renamed(ctx context.Context, from, to Slug) (renamed bool, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		return tx.QueryRow(ctx, `select exists (select from parked_slugs p join tenants t on t.id = p.tenant_id where p.slug = $1 and t.slug = $2)`, from, to).Scan(&renamed)
	})
	return renamed, err
}
