package tenancy

import (
	"context"
	"errors"
	"testing"
	"time"

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

// BenchmarkDomainSeenElsewhere is the time from the commit of a new domain until another replica, which remembered that
// there was none, serves it.
func BenchmarkDomainSeenElsewhere(b *testing.B) {
	p := newPlatform(b)
	t := p.tenant(b)
	other := p.replica(b)
	listen(b, other)
	conn := p.behind(b)
	for b.Loop() {
		b.StopTimer()
		h := newHost()
		if _, err := other.ByHost(b.Context(), h); !errors.Is(err, ErrUnknown) {
			b.Fatal(err)
		}
		d := newDomain(t.ID, h, []Use{UseHost}, time.Now())
		_, err := conn.Exec(b.Context(), `insert into control.domains (id, tenant_id, domain, uses, verification_token, verified_at, created_at)
			values ($1, $2, $3, $4, $5, now(), now())`, d.ID, d.Tenant, d.Domain, d.Uses, d.VerificationToken)
		check(b, err)
		b.StartTimer()
		for seen := false; !seen; {
			_, err := other.ByHost(b.Context(), h)
			seen = err == nil
		}
	}
}
