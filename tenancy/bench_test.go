package tenancy

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func BenchmarkOneRow(b *testing.B) {
	p := newPlatform(b)
	t := p.tenant(b)
	b.Run("InTx", func(b *testing.B) {
		for b.Loop() {
			check(b, p.db.InTx(b.Context(), t, func(ctx context.Context, tx Tx) error {
				var n int
				return tx.QueryRow(ctx, "select count(*) from users").Scan(&n)
			}))
		}
	})
	b.Run("InBatch", func(b *testing.B) {
		for b.Loop() {
			var n int
			check(b, p.db.InBatch(b.Context(), t, func(q *Batch) {
				q.Queue("select count(*) from users").QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
			}))
		}
	})
}
