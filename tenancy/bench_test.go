package tenancy

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
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

// BenchmarkCreateTenant is a tenant made, keys in Vault and all, on a Postgres that waits for its disk: built, and of a blank
// schema that was ready.
func BenchmarkCreateTenant(b *testing.B) {
	bin, err := pgproc.Obtain(b.Context(), os.Stderr)
	check(b, err)
	dir, err := os.MkdirTemp("", "gatehouse-postgres-")
	check(b, err)
	b.Cleanup(func() { _ = pgproc.Remove(dir) })
	server, err := pgproc.Start(b.Context(), pgproc.Options{BinDir: bin, Dir: dir})
	check(b, err)
	b.Cleanup(func() { _ = server.Stop() })
	p := assemble(b, tenancytest.InstallOn(b, server.SuperuserURL()))
	for name, ready := range map[string]int{"built": 0, "ready": 1} {
		b.Run(name, func(b *testing.B) {
			o := p.options
			o.Ready = ready
			provision := NewProvisioner(o)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				if ready > 0 {
					_, err := provision.refill(b.Context(), o.Placements[testDatabase])
					check(b, err)
				}
				b.StartTimer()
				began := time.Now()
				_, err := provision.Create(b.Context(), wanted())
				check(b, err)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
