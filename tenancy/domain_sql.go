package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

const domainColumns = `id, tenant_id, domain, uses, verification_token, verified_at, is_primary, created_at, checked_at, failing_since, lost_at, misses`

func scanDomain(row pgx.CollectableRow) (Domain, error) { return scanDomainAnd(row) }

// scanDomainAnd reads a domain and what was asked for beside it.
func scanDomainAnd(row pgx.CollectableRow, more ...any) (d Domain, err error) {
	err = row.Scan(append([]any{&d.ID, &d.Tenant, &d.Domain, &d.Uses, &d.VerificationToken, &d.VerifiedAt, &d.Primary, &d.CreatedAt,
		&d.CheckedAt, &d.FailingSince, &d.LostAt, &d.misses}, more...)...)
	d.CreatedAt = d.CreatedAt.UTC()
	for _, at := range []*time.Time{d.VerifiedAt, d.CheckedAt, d.FailingSince, d.LostAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return d, err
}

func insertDomain(ctx context.Context, tx querier, d Domain) error {
	_, err := tx.Exec(ctx, `insert into domains (id, tenant_id, domain, uses, verification_token, verified_at, is_primary, created_at, next_check_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, case when $9 then 'infinity' else '-infinity'::timestamptz end)`,
		d.ID, d.Tenant, d.Domain, d.Uses, d.VerificationToken, d.VerifiedAt, d.Primary, d.CreatedAt, d.given)
	return err
}

// oneAtATime makes changes of one tenant's domains wait for each other, until commit. Races it closes: two names proved at
// once, both of which would become primary; a name proved while the primary one is removed, of which neither would see the
// other, so that none became primary; a name made primary while it is removed; and two claims that pass the limit together.
func oneAtATime(ctx context.Context, tx querier, t id.Tenant) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended($1, 0))`, "domains of "+t.String())
	return err
}

// mayClaim refuses a name somebody has proved, and a tenant that claims without end.
func mayClaim(ctx context.Context, tx directoryTx, d Domain) error {
	if err := oneAtATime(ctx, tx, d.Tenant); err != nil {
		return err
	}
	var held bool
	var claims int
	err := tx.QueryRow(ctx, `select exists (select from domains where domain = $1 and verified_at is not null),
		(select count(*) from domains where tenant_id = $2)`, d.Domain, d.Tenant).Scan(&held, &claims)
	switch {
	case err != nil:
		return err
	case held:
		return domainTaken()
	case claims >= maxDomains:
		return problem.New(problem.KindConflict, "too_many_domains", "This tenant has claimed too many domains. Remove one first.")
	}
	return nil
}

func domainByID(ctx context.Context, tx directoryTx, t id.Tenant, domain id.Domain) (Domain, error) {
	rows, err := tx.Query(ctx, `select `+domainColumns+` from domains where tenant_id = $1 and id = $2`, t, domain)
	if err != nil {
		return Domain{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDomain)
	if errors.Is(err, pgx.ErrNoRows) {
		return Domain{}, ErrUnknown
	}
	return d, err
}

func listDomains(ctx context.Context, tx directoryTx, t id.Tenant, after id.Domain, limit int) ([]Domain, error) {
	rows, err := tx.Query(ctx, `select `+domainColumns+` from domains where tenant_id = $1 and id > $2 order by id limit $3`,
		t, [16]byte(after), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDomain)
}

func provedHosts(ctx context.Context, tx directoryTx, t id.Tenant) ([]Host, error) {
	rows, err := tx.Query(ctx, `select domain from domains where tenant_id = $1 and verified_at is not null and 'host' = any(uses)
		order by verified_at, id`, t)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[Host])
}

// setVerified gives the domain its effect. first tells whether it was this call that did.
func setVerified(ctx context.Context, tx directoryTx, d Domain, now, next time.Time) (first bool, err error) {
	tag, err := tx.Exec(ctx, `update domains set verified_at = $3, checked_at = $3, next_check_at = $4, lost_at = null
		where tenant_id = $1 and id = $2 and verified_at is null`, d.Tenant, d.ID, now, next)
	if err == nil && tag.RowsAffected() == 0 {
		_, err = domainByID(ctx, tx, d.Tenant, d.ID) // verified by another call meanwhile, or removed
		return false, err
	}
	return true, err
}

func deleteDomain(ctx context.Context, tx directoryTx, t id.Tenant, domain id.Domain) (Domain, error) {
	d := Domain{ID: domain, Tenant: t}
	err := tx.QueryRow(ctx, `delete from domains where tenant_id = $1 and id = $2 returning domain`, t, domain).Scan(&d.Domain)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return d, err
}
