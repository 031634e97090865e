package tenancy

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/migrations"
)

const blankPrefix = "blank_"

// claimBlank gives a blank schema and its role the name of a tenant's, and leaves the transaction's search_path there. It is
// false where no blank of this binary's version is to be had.
//
// The race: two that make a tenant want the same blank. The lock is whoever's asks first, until the transaction ends; the
// other takes the next one and waits for nobody. A blank that was claimed or dropped before the lock was had is no longer
// there under its name, which is asked after.
func claimBlank(ctx context.Context, c provisionTx, name string) (claimed bool, err error) {
	blanks, err := listBlanks(ctx, c)
	if err != nil {
		return false, err
	}
	for _, b := range blanks {
		version, err := lockBlank(ctx, c, b)
		if err != nil {
			return false, err
		}
		if version == migrations.LatestTenant {
			_, err := c.Exec(ctx, `alter schema `+b+` rename to `+name+`; alter role `+b+` rename to `+name+`; set local search_path to `+name)
			return err == nil, err
		}
	}
	return false, nil
}

func listBlanks(ctx context.Context, c provisionTx) ([]string, error) {
	rows, err := c.Query(ctx, `select nspname::text from pg_namespace where nspname ~ ('^' || $1::text || '[0-9a-f]{32}$') and pg_has_role(nspowner, 'usage')
		order by nspname limit 100`, blankPrefix)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// lockBlank is the version of a blank that is now the transaction's to do with as it likes, or 0: somebody else has it.
func lockBlank(ctx context.Context, c provisionTx, blank string) (version int, err error) {
	var ours, there bool
	if err := c.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended($1, 0))`, blank).Scan(&ours); err != nil || !ours {
		return 0, err
	}
	if err := c.QueryRow(ctx, isSchema, blank).Scan(&there); err != nil || !there {
		return 0, err
	}
	return schemaVersion(ctx, c, blank)
}

// refillOnce drops one blank that is too old or makes one that is missing. The lock lets one transaction of a database count
// and make at a time, so that replicas together do not make more than are wanted; who does not get it leaves it to the other.
// Blanks of a newer version are counted and left alone: replicas of that version will want them.
func refillOnce(ctx context.Context, c provisionTx, wanted int, runtimeRole string) (more bool, err error) {
	var ours bool
	err = c.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended('gatehouse blank schemas', 0))`).Scan(&ours)
	if err != nil || !ours {
		return false, err
	}
	blanks, err := listBlanks(ctx, c)
	if err != nil {
		return false, err
	}
	for _, b := range blanks {
		version, err := lockBlank(ctx, c, b)
		if err != nil {
			return false, err
		}
		if version > 0 && version < migrations.LatestTenant {
			_, err := c.Exec(ctx, `drop schema `+b+` cascade; drop role `+b)
			return true, err
		}
	}
	if len(blanks) >= wanted {
		return false, nil
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	return true, buildSchema(ctx, c, blankPrefix+hex.EncodeToString(random), runtimeRole)
}
