package mfa

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func listFactors(b *tenancy.Batch, u id.User, unconfirmedSince time.Time, into *[]Factor) {
	b.Queue(`select id, method_type, device_name, confirmed_at is not null, created_at, last_used_at from factors
		where user_id = $1 and (confirmed_at is not null or created_at > $2) order by id`, u, unconfirmedSince).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Factor, err error) {
				err = row.Scan(&f.ID, &f.Method, &f.Device, &f.Verified, &f.CreatedAt, &f.LastUsedAt)
				f.CreatedAt = f.CreatedAt.UTC()
				if f.LastUsedAt != nil {
					*f.LastUsedAt = f.LastUsedAt.UTC()
				}
				return f, err
			})
			return err
		})
}

// refreshKinds writes beside the user which kinds of factor they have confirmed, which is what logins read.
func refreshKinds(ctx context.Context, tx tenancy.Tx, u id.User) error {
	_, err := tx.Exec(ctx, `update users set factors = coalesce((select array_agg(distinct method_type) from factors
		where user_id = $1 and confirmed_at is not null), '{}') where id = $1`, u)
	return err
}

func confirmedFactors(ctx context.Context, tx tenancy.Tx, u id.User) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from factors where user_id = $1 and confirmed_at is not null`, u).Scan(&n)
	return n, err
}

// deleteFactor tells of the factor what it was.
func deleteFactor(ctx context.Context, tx tenancy.Tx, u id.User, f id.Factor) (was Factor, err error) {
	err = tx.QueryRow(ctx, `delete from factors where id = $1 and user_id = $2 returning method_type, device_name, confirmed_at is not null`, f, u).
		Scan(&was.Method, &was.Device, &was.Verified)
	if errors.Is(err, pgx.ErrNoRows) {
		err = problem.NotFound()
	}
	return was, err
}

func resetFactors(ctx context.Context, tx tenancy.Tx, u id.User) error {
	for _, sql := range []string{
		`delete from factors where user_id = $1`,
		`delete from backup_codes where user_id = $1`,
		`delete from challenges where user_id = $1`,
		`delete from factor_failures where user_id = $1`,
		`update users set factors = '{}' where id = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, u); err != nil {
			return err
		}
	}
	return nil
}
