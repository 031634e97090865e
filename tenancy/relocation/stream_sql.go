package relocation

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Table is one whose rows leave a database, or come into one.
type Table struct {
	Name    string
	Columns []string
}

// Tables are those of a schema but for Versions and those left out, each after those that its rows refer to.
func Tables(ctx context.Context, conn *pgx.Conn, schema string, without ...string) ([]Table, error) {
	all, err := tablesOf(ctx, conn, schema)
	if err != nil {
		return nil, err
	}
	var wanted []Table
	for _, t := range all {
		if t.name != Versions && !slices.Contains(without, t.name) {
			wanted = append(wanted, Table{t.name, t.columns})
		}
	}
	return wanted, nil
}

// Clear takes out of the tables what they began with, and lets their triggers rest until Wake: what rows cause they have caused
// once.
func Clear(ctx context.Context, conn *pgx.Conn, schema string, all []Table) error {
	return empty(ctx, conn, schema, own(all))
}

// Wake ends the rest of triggers.
func Wake(ctx context.Context, conn *pgx.Conn, schema string, all []Table) error {
	_, err := conn.Exec(ctx, eachTable(schema, own(all), "alter table %s enable trigger user"))
	return err
}

func own(all []Table) []table {
	tables := make([]table, len(all))
	for i, t := range all {
		tables[i] = table{name: t.Name, columns: t.Columns}
	}
	return tables
}

// Send writes the rows of a table in the text form of COPY.
func Send(ctx context.Context, conn *pgx.Conn, schema string, t Table, to io.Writer) error {
	of := own([]Table{t})[0]
	_, err := conn.PgConn().CopyTo(ctx, to, fmt.Sprintf("copy (select %s from %s) to stdout", of.list(), of.in(schema)))
	return err
}

// Receive adds rows that Send wrote to a table. The table is one of Tables: names are not looked at here.
func Receive(ctx context.Context, conn *pgx.Conn, schema string, t Table, rows io.Reader) (int64, error) {
	of := own([]Table{t})[0]
	tag, err := conn.PgConn().CopyFrom(ctx, rows, fmt.Sprintf("copy %s (%s) from stdin", of.in(schema), of.list()))
	return tag.RowsAffected(), err
}
