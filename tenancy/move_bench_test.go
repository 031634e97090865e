package tenancy

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkMove moves a tenant to and fro. Each user has two sessions and ten entries in the audit log. pause-ms is for how long
// writes were refused; what is before and after it nobody notices.
func BenchmarkMove(b *testing.B) {
	for _, users := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			p := newPlaces(b)
			c, err := p.provision.Create(b.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: here})
			check(b, err)
			p.do(b, fmt.Sprintf(`set search_path to %s;
				insert into users (id, email, name, roles, created_at, updated_at, password_hash)
					select gen_random_uuid(), 'user-' || n || '@people.example', 'Somebody', '{user}', now(), now(), '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('x', 66) from generate_series(1, %d) n;
				insert into sessions (id, user_id, amr, acr, auth_time, created_at, expires_at, refresh_expires_at, refresh_seed, user_agent)
					select gen_random_uuid(), u.id, '{pwd}', '1', now(), now(), now(), now(), sha256('x'), repeat('Mozilla/5.0 ', 8) from users u, generate_series(1, 2);
				insert into audit_log (seq, entry, hash, id, action, actor_type, actor_id, created_at)
					select row_number() over (), repeat('e', 300), sha256('x'), gen_random_uuid(), 'login.succeeded', 'user', u.id::text, now() from users u, generate_series(1, 10);`,
				namespace(c.Tenant.ID), users))
			var pause time.Duration
			var rows int64
			b.ResetTimer()
			for i := range b.N {
				moved, err := p.provision.Move(b.Context(), Actor{Type: ByOperator}, c.Tenant.ID, []string{there, here}[i%2], unhurried)
				check(b, err)
				pause, rows = pause+moved.Pause, moved.Rows
			}
			b.ReportMetric(float64(pause.Milliseconds())/float64(b.N), "pause-ms")
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
