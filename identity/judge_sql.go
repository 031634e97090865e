package identity

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	deviceMemory = 90 * 24 * time.Hour
	mostFailures = 1000 // are counted
)

// readStanding reads from the audit log how a user stands: it holds every login for good, and the index by its user is
// there. An entry's text is canonical, so a member of it can be looked for as text.
func readStanding(b *tenancy.Batch, u id.User, device string, now time.Time, into *policy.Standing) {
	b.Queue(`select
			(select count(*) from (select from audit_log where resource_id = $1 and created_at > $2 and action = 'login.failed' limit $3) failed),
			exists (select from audit_log where resource_id = $1 and created_at > $4 and action = 'login.succeeded' and position($5 in entry) > 0)`,
		u.String(), now.AddDate(0, 0, -1), mostFailures, now.Add(-deviceMemory), `"device":"`+device+`"`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&into.FailuresLastDay, &into.KnownDevice) })
}
