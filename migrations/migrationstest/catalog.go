// Package migrationstest compares what Postgres knows of two schemas.
package migrationstest

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Catalog is everything Postgres knows of a schema, a line for each fact, sorted; the schema's own name is left out so
// that two schemas can be compared. Columns keep their order, for `insert into ... values` depends on it.
func Catalog(tb testing.TB, conn *pgx.Conn, schema string) []string {
	tb.Helper()
	rows, err := conn.Query(tb.Context(), catalogQuery, schema)
	if err != nil {
		tb.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		tb.Fatal(err)
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], schema, "SCHEMA")
	}
	slices.Sort(lines)
	return lines
}

const catalogQuery = `
with s as (select oid from pg_namespace where nspname = $1),
r as (select c.* from pg_class c join s on c.relnamespace = s.oid)
select line collate "C" from (
	select format('relation %s kind %s persistence %s owner %s acl %s options %s rls %s', relname, relkind, relpersistence,
		relowner::regrole, relacl, reloptions, relrowsecurity) as line from r
	union all
	select format('column %s.%s %s: %s not null %s default %s generated %s identity %s collation %s acl %s', r.relname, lpad((row_number() over (partition by r.oid order by a.attnum))::text, 3, '0'), a.attname,
		format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity,
		a.attcollation::regcollation, a.attacl)
		from r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and r.relkind in ('r', 'p', 'v', 'm')
		left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
	union all
	select format('constraint %s.%s %s valid %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid), c.convalidated)
		from pg_constraint c join s on c.connamespace = s.oid
	union all
	select format('index %s valid %s', pg_get_indexdef(r.oid), i.indisvalid) from r join pg_index i on i.indexrelid = r.oid
	union all
	select format('trigger %s %s', pg_get_triggerdef(g.oid), g.tgenabled) from r join pg_trigger g on g.tgrelid = r.oid and not g.tgisinternal
	union all
	select format('function %s owner %s acl %s', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl) from pg_proc p join s on p.pronamespace = s.oid
	union all
	select format('type %s %s', t.typname, t.typtype) from pg_type t join s on t.typnamespace = s.oid where t.typtype <> 'c' and t.typelem = 0
	union all
	select format('default rights %s %s %s', d.defaclobjtype, d.defaclrole::regrole, d.defaclacl) from pg_default_acl d join s on d.defaclnamespace = s.oid
) all_facts order by 1`

// Same compares two catalogs and shows the facts that only one of them has.
func Same(tb testing.TB, what string, got, want []string) {
	tb.Helper()
	if len(want) == 0 {
		tb.Fatalf("%s: there is nothing to compare with", what)
	}
	have, need := map[string]bool{}, map[string]bool{}
	for _, l := range got {
		have[l] = true
	}
	for _, l := range want {
		need[l] = true
		if !have[l] {
			tb.Errorf("%s: missing: %s", what, l)
		}
	}
	for _, l := range got {
		if !need[l] {
			tb.Errorf("%s: not wanted: %s", what, l)
		}
	}
}
