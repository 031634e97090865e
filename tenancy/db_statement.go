package tenancy

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrStatement means that a statement was not sent because it is more than reading and writing rows.
var ErrStatement = errors.New("tenancy: a tenant's transaction takes select, insert, update, delete and with, one at a time")

var rowVerbs = []string{"select", "insert", "update", "delete", "with"}

// rowsOnly keeps away from Postgres what the role cannot forbid. The serving role is a member of every tenant's role,
// and SET ROLE asks whether the one who logged in may, so `set role` in one tenant's transaction would reach another
// tenant's rows; and without LOCAL it would stay on the connection for the next request.
func rowsOnly(sql string) error {
	verb := strings.TrimSpace(sql)
	if end := strings.IndexAny(verb, " \t\r\n"); end >= 0 {
		verb = verb[:end]
	}
	lower := strings.ToLower(sql)
	if !slices.Contains(rowVerbs, strings.ToLower(verb)) || strings.Contains(lower, ";") ||
		strings.Contains(lower, "set_config") || strings.Contains(lower, "advisory_lock") {
		return ErrStatement
	}
	return nil
}

// noRow is the row of a statement that was not sent.
type noRow struct{ err error }

func (r noRow) Scan(...any) error { return r.err }

var _ pgx.Row = noRow{}
