package tenancy

import (
	"errors"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// behindRetry is when somebody may have migrated a tenant that is behind.
const behindRetry = 5 * time.Second

// lacks reports that a statement failed for what a later migration brings. The race is that of an upgrade: a replica of the
// version before makes a tenant when gatehouse migrate has already listed those that it brings further. That tenant is no fault
// of whoever asks for it, and is well again with the next run; gatehouse doctor tells of it.
func lacks(t Tenant, err error) bool {
	var refused *pgconn.PgError
	return t.SchemaVersion < migrations.LatestTenant && errors.As(err, &refused) &&
		(refused.Code == pgerrcode.UndefinedColumn || refused.Code == pgerrcode.UndefinedTable)
}
