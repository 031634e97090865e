package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// leased is a domain that is ours to look up until lease, which also tells whether it still is: who looks next moves it on. The
// race it closes: a lookup from before a tenant put its proof back is written down after the one that found it.
type leased struct {
	Domain
	lease time.Time
}

func leaseChecks(ctx context.Context, tx directoryTx, now, until time.Time, most int) ([]leased, error) {
	rows, err := tx.Query(ctx, `update domains set next_check_at = $2 where id in (
			select id from domains where verified_at is not null and next_check_at <= $1
			order by next_check_at limit $3 for update skip locked)
		returning `+domainColumns+`, next_check_at`, now, until, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d leased, err error) {
		d.Domain, err = scanDomainAnd(row, &d.lease)
		return d, err
	})
}

// leaseCheck is leaseChecks for one domain that somebody wants to be looked up now, due or not. ErrUnknown: it is not proved.
func leaseCheck(ctx context.Context, tx directoryTx, d Domain, until time.Time) (l leased, err error) {
	rows, err := tx.Query(ctx, `update domains set next_check_at = $3 where tenant_id = $1 and id = $2 and verified_at is not null
		returning `+domainColumns+`, next_check_at`, d.Tenant, d.ID, until)
	if err != nil {
		return l, err
	}
	l, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (d leased, err error) {
		d.Domain, err = scanDomainAnd(row, &d.lease)
		return d, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return l, err
}

const stillLeased = ` where id = $1 and verified_at is not null and next_check_at = $2`

func neverCheck(ctx context.Context, tx directoryTx, d leased) error {
	_, err := tx.Exec(ctx, `update domains set next_check_at = 'infinity'`+stillLeased, d.ID, d.lease)
	return err
}

func postpone(ctx context.Context, tx directoryTx, d leased, next time.Time) error {
	_, err := tx.Exec(ctx, `update domains set next_check_at = $3`+stillLeased, d.ID, d.lease, next)
	return err
}

func noteFound(ctx context.Context, tx directoryTx, d leased, now, next time.Time) (Domain, bool, error) {
	return noted(tx.Query(ctx, `update domains set checked_at = $3, next_check_at = $4, failing_since = null, misses = 0`+stillLeased+
		` returning `+domainColumns, d.ID, d.lease, now, next))
}

func noteMissing(ctx context.Context, tx directoryTx, d leased, now, next time.Time) (Domain, bool, error) {
	return noted(tx.Query(ctx, `update domains set checked_at = $3, next_check_at = $4, failing_since = coalesce(failing_since, $3), misses = misses + 1`+stillLeased+
		` returning `+domainColumns, d.ID, d.lease, now, next))
}

// noted reads a domain that was still ours to write.
func noted(rows pgx.Rows, err error) (d Domain, ours bool, _ error) {
	if err != nil {
		return d, false, err
	}
	d, err = pgx.CollectExactlyOneRow(rows, scanDomain)
	err = Found(err, &ours)
	return d, ours, err
}

// loseDomain takes its effect from a domain. Its claim stays, and can be proved again.
func loseDomain(ctx context.Context, tx directoryTx, d Domain, now time.Time) error {
	_, err := tx.Exec(ctx, `update domains set verified_at = null, is_primary = false, failing_since = null, misses = 0, lost_at = $2
		where id = $1`, d.ID, now)
	return err
}
