package identity

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

const mostFailures = 1000 // are counted

// quiet is how long a denial is not written down again that is the same: an application that goes on asking for a refresh which the
// rules deny for the night would else fill the log, which keeps everything for good.
const quiet = 10 * time.Minute

// queueDenied adds a denial to the audit log, unless it holds the same of this user since a short while. said is how the entry says what
// was denied.
func queueDenied(ctx context.Context, b *tenancy.Batch, t tenancy.Tenant, e audit.Event, said string) {
	audit.QueueIf(ctx, b, t, e, `not exists (select from audit_log where resource_id = $9 and created_at > $10 and action = 'policy.denied' and position($11 in entry) > 0)`,
		e.ResourceID, e.At.Add(-quiet), said)
}

// readStanding reads from the audit log how a user stands: it holds every login for good, and the index by its user is
// there. An entry's text is canonical, so a member of it can be looked for as text.
func readStanding(b *tenancy.Batch, u id.User, device string, now time.Time, into *policy.Standing) {
	b.Queue(`select
			(select count(*) from (select from audit_log where resource_id = $1 and created_at > $2 and action = 'login.failed' limit $3) failed),
			exists (select from audit_log where resource_id = $1 and created_at > $4 and action = 'login.succeeded' and position($5 in entry) > 0)`,
		u.String(), now.AddDate(0, 0, -1), mostFailures, now.Add(-policy.DeviceMemory), `"device":"`+device+`"`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&into.FailuresLastDay, &into.KnownDevice) })
}
