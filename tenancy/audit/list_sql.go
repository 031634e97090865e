package audit

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// listEntries asks only for what is filtered by, so that Postgres sees which index the question is made for.
func listEntries(b *tenancy.Batch, f Filter, before Place, limit int, into *[]Listed) {
	var where []string
	var args []any
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		where = append(where, condition)
	}
	for _, c := range []struct{ column, value string }{
		{"action", string(f.Action)}, {"actor_id", f.ActorID}, {"resource_type", f.ResourceType}, {"resource_id", f.ResourceID},
	} {
		if c.value != "" {
			and(c.column+" = ?", c.value)
		}
	}
	if f.Without != "" {
		and("action <> ?", string(f.Without))
	}
	if !f.From.IsZero() {
		and("created_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		and("created_at < ?", f.To)
	}
	if !before.At.IsZero() {
		and("(created_at, seq) < (?, ?)", before.At, before.Seq)
	}
	and("true order by created_at desc, seq desc limit ?", limit)
	b.Queue(`select entry, created_at, seq from audit_log where `+strings.Join(where, " and "), args...).
		Query(func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, scanListed)
			return err
		})
}

func scanListed(row pgx.CollectableRow) (l Listed, err error) {
	var text string
	if err := row.Scan(&text, &l.Place.At, &l.Place.Seq); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(text), &l)
}
