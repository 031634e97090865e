package identity

import (
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const preferenceColumns = `locale, timezone, date_format, time_format`

func (p *Preferences) scan(row pgx.Row) error {
	return gone(row.Scan(&p.Locale, &p.TimeZone, &p.DateFormat, &p.TimeFormat))
}

func readPreferences(b *tenancy.Batch, u id.User, into *Preferences) {
	b.Queue(`select `+preferenceColumns+` from users where id = $1`, u).QueryRow(into.scan)
}

func updatePreferences(b *tenancy.Batch, u id.User, c PreferencesChange, into *Preferences) {
	b.Queue(`update users set
			locale = case when $2 then $3 else locale end, timezone = case when $4 then $5 else timezone end,
			date_format = case when $6 then $7 else date_format end, time_format = case when $8 then $9 else time_format end
		where id = $1 returning `+preferenceColumns, u,
		c.Locale.Set, c.Locale.Ptr(), c.TimeZone.Set, c.TimeZone.Ptr(), c.DateFormat.Set, c.DateFormat.Ptr(), c.TimeFormat.Set, c.TimeFormat.Ptr()).
		QueryRow(into.scan)
}
