package tenancy

import (
	"context"
	"encoding/hex"

	"github.com/jackc/pgx/v5"
)

// countRows counts the rows of every table of a schema, and reads the head of its audit log, as of one moment.
func (db ProvisioningDB) countRows(ctx context.Context, schema string) (rows map[string]int64, log *InventoryLog, err error) {
	rows = map[string]int64{}
	err = db.inLongTx(ctx, func(ctx context.Context, c provisionTx) error {
		if _, err := c.Exec(ctx, `set transaction isolation level repeatable read, read only`); err != nil {
			return err
		}
		// Dropping takes table after table and so does counting: without the lock each could hold what the other wants.
		if _, err := c.Exec(ctx, `select pg_advisory_xact_lock_shared(hashtextextended($1, 0))`, schema); err != nil {
			return err
		}
		found, err := c.Query(ctx, `select tablename from pg_tables where schemaname = $1`, schema)
		if err != nil {
			return err
		}
		tables, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, table := range tables {
			name := pgx.Identifier{schema, table}.Sanitize()
			var n int64
			if err := c.QueryRow(ctx, `select count(*) from `+name).Scan(&n); err != nil {
				return err
			}
			rows[table] = n
			if table == "audit_head" {
				if log, err = readHead(ctx, c, name); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return rows, log, err
}

func readHead(ctx context.Context, c provisionTx, table string) (*InventoryLog, error) {
	var hash []byte
	log := &InventoryLog{}
	err := c.QueryRow(ctx, `select seq, hash from `+table).Scan(&log.Seq, &hash)
	log.Hash = hex.EncodeToString(hash)
	return log, err
}
