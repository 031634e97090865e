package relocation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Versions is the table in which a schema says at which version it is. Each schema keeps its own.
const Versions = "schema_migrations"

// table is one of a schema.
type table struct {
	name    string
	columns []string // without generated ones, in no order that matters
	after   []string // those that its rows refer to
}

func (t table) in(schema string) string { return schema + "." + pgx.Identifier{t.name}.Sanitize() }

// list is the columns as SQL has them.
func (t table) list() string {
	quoted := make([]string, len(t.columns))
	for i, c := range t.columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

// same reports whether rows of one fit into the other.
func (t table) same(o table) bool { return t.name == o.name && slices.Equal(t.columns, o.columns) }

// tablesOf reads the tables of a schema, those that others refer to first. It refuses what Copy would not take along.
func tablesOf(ctx context.Context, conn *pgx.Conn, schema string) ([]table, error) {
	var odd string
	err := conn.QueryRow(ctx, `select coalesce(string_agg(relname, ', '), '') from pg_class
		where relnamespace = $1::text::regnamespace and relkind not in ('r', 'i', 't', 'c')`, schema).Scan(&odd)
	if err == nil && odd != "" {
		err = fmt.Errorf("relocation: %s holds more than tables: %s", schema, odd)
	}
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, `select r.relname::text,
			array(select a.attname::text from pg_attribute a where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
				order by a.attname),
			array(select distinct o.relname::text from pg_constraint f join pg_class o on o.oid = f.confrelid
				where f.conrelid = r.oid and f.contype = 'f' and o.oid <> r.oid)
		from pg_class r where r.relnamespace = $1::text::regnamespace and r.relkind = 'r' order by r.relname`, schema)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		return t, row.Scan(&t.name, &t.columns, &t.after)
	})
	if err != nil {
		return nil, err
	}
	return inOrder(all)
}

// inOrder puts each table after those it refers to.
func inOrder(all []table) (ordered []table, err error) {
	placed := map[string]bool{}
	for len(ordered) < len(all) {
		before := len(ordered)
		for _, t := range all {
			if !placed[t.name] && !slices.ContainsFunc(t.after, func(o string) bool { return !placed[o] }) {
				ordered, placed[t.name] = append(ordered, t), true
			}
		}
		if len(ordered) == before {
			return nil, fmt.Errorf("relocation: tables refer to each other in a circle, beside %v", placed)
		}
	}
	return ordered, nil
}
