package tenancy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// BenchmarkVisits is what the database has to do with a refresh, a batch that reads and a batch that writes, at tenants that are
// chosen uniformly: how it grows with their number, by one client and by four. Each tenant was visited before, by somebody.
func BenchmarkVisits(b *testing.B) {
	p := newPlatform(b)
	o := p.options
	o.Ready = 50
	provision := NewProvisioner(o)
	var tenants []Tenant
	for _, n := range []int{1, 100, 400} {
		for len(tenants) < n {
			c, err := provision.Create(b.Context(), wanted())
			check(b, err)
			tenants = append(tenants, c.Tenant)
		}
		p.do(b, "analyze")
		for _, clients := range []int{1, 4} {
			b.Run(fmt.Sprintf("tenants=%d/clients=%d", n, clients), func(b *testing.B) {
				pool := openPool(b, p.RuntimeURL, 4)
				db := NewDB(DBOptions{Control: pool, Tenants: map[string]*Pool{testDatabase: pool}})
				for _, i := range rand.Perm(n) {
					check(b, visit(b, db, tenants[i]))
				}
				took := make([]time.Duration, b.N)
				var next sync.Mutex
				done := 0
				b.ResetTimer()
				inParallel(b, clients, func(int) error {
					for {
						next.Lock()
						i := done
						done++
						next.Unlock()
						if i >= len(took) {
							return nil
						}
						began := time.Now()
						if err := visit(b, db, tenants[rand.IntN(n)]); err != nil {
							return err
						}
						took[i] = time.Since(began)
					}
				})
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			})
		}
	}
}

// visit is as identity's refresh.
func visit(b *testing.B, db *DB, t Tenant) error {
	session, now := id.NewUser(), time.Now()
	err := db.InBatch(b.Context(), t, func(q *Batch) {
		q.Queue(`select id, user_id, amr, acr, auth_time, created_at, expires_at, coalesce(refreshed_at, created_at), refresh_expires_at,
			refresh_seed, refresh_generation from sessions where id = $1`, session)
		q.Queue(`select id, email, name, roles, active, email_verified, factors, created_at, credential_version
			from users where id = (select user_id from sessions where id = $1)`, session)
	})
	if err != nil {
		return err
	}
	return db.InBatch(b.Context(), t, func(q *Batch) {
		q.Queue(`update sessions s set refresh_generation = $3, refreshed_at = $4, refresh_expires_at = $5, expires_at = $6
			from users u where s.id = $1 and s.refresh_generation = $3 - 1 and s.expires_at > $4 and s.refresh_expires_at > $4
				and u.id = s.user_id and u.id = $2 and u.active and u.email_verified and u.credential_version = $7`,
			session, session, 2, now, now, now, 1)
	})
}
