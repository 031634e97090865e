package tenancy

import (
	"context"
	"maps"
	"slices"
)

// Databases are the names of all that tenants live in, sorted.
func (db *DB) Databases() []string { return slices.Sorted(maps.Keys(db.pools)) }

// Examine is what Check does for one database. Errors: *UnsafeRoleError; 503 where it does not answer.
func (db *DB) Examine(ctx context.Context, database string) error {
	return checkDatabase(ctx, db.pools[database])
}

// Server is the Postgres server that a database is on.
type Server struct {
	Address     string // as the server has it: two databases with one are on one server
	Version     string
	Connections int // that it lets ordinary roles open, of everybody together
}

// Server asks which one a database is on.
func (db *DB) Server(ctx context.Context, database string) (s Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err = db.pools[database].row(ctx, `select coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'port ' || current_setting('port')),
			current_setting('server_version'), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
				- coalesce(current_setting('reserved_connections', true), '0')::int`, nil, &s.Address, &s.Version, &s.Connections)
	return s, classify(ctx, err)
}
