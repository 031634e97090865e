package tenancy

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// maxFormerIssuers is how many are kept of one tenant: who changes the primary domain more often than that within the hour
// ends the oldest tokens.
const maxFormerIssuers = 20

// formerIssuers are those of the tenant t, as the JSON of FormerIssuer; null where there are none.
const formerIssuers = `(select json_agg(json_build_object('Host', f.host, 'Slug', f.slug, 'EndedAt', f.ended_at))
	from former_issuers f where f.tenant_id = t.id)`

// keepIssuer keeps the issuer that a tenant had with this primary domain, or with none and its slug, when another takes its
// place. It is called in the transaction of the change, under oneAtATime, and before a change of the slug.
func keepIssuer(ctx context.Context, tx querier, t id.Tenant, primary Host, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into former_issuers (tenant_id, host, slug, ended_at)
		select id, $2, case when $2 = '' then slug else '' end, $3 from tenants where id = $1
		on conflict (tenant_id, host, slug) do update set ended_at = excluded.ended_at`, t, primary, now)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `delete from former_issuers where tenant_id = $1 and (ended_at < $2 or (host, slug) in (
		select host, slug from former_issuers where tenant_id = $1 order by ended_at desc offset $3))`, t, now.Add(-issuerGrace), maxFormerIssuers)
	return err
}

// keepIssuerOfSlug is keepIssuer for a tenant that is given another slug: that is its issuer where it has no primary domain.
func keepIssuerOfSlug(ctx context.Context, tx querier, t id.Tenant, now time.Time) error {
	var elsewhere bool
	err := tx.QueryRow(ctx, `select exists (select from domains where tenant_id = $1 and is_primary)`, t).Scan(&elsewhere)
	if err != nil || elsewhere {
		return err
	}
	return keepIssuer(ctx, tx, t, "", now)
}
