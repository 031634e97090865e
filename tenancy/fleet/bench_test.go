package fleet

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// BenchmarkNothingToDo is a run over a directory of ten thousand tenants that are where they should be.
func BenchmarkNothingToDo(b *testing.B) {
	in := tenancytest.Database(b)
	if err := migrations.Control(b.Context(), in.ProvisionerURL); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), in.SuperuserURL)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	var rows [][]any
	for range 10_000 {
		rows = append(rows, []any{[16]byte(id.NewTenant()), migrations.LatestTenant})
	}
	if _, err := conn.Exec(b.Context(), `create temp table made (id uuid, version int)`); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"made"}, []string{"id", "version"}, pgx.CopyFromRows(rows)); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), `insert into control.tenants (id, slug, name, locale, region, database, state, is_master, signing_algorithm, schema_version, created_at, updated_at)
		select id, 'tenant-' || row_number() over (), 'Acme', 'en', 'here', $1, 'active', false, 'ES256', version, now(), now() from made`, place); err != nil {
		b.Fatal(err)
	}
	o := Options{Directory: in.ProvisionerURL, Databases: map[string]string{place: in.ProvisionerURL}, Set: migrations.Tenants}
	for b.Loop() {
		if r, err := Migrate(b.Context(), o); err != nil || r.Migrated > 0 {
			b.Fatal(r, err)
		}
	}
}
