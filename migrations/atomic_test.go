package migrations

import (
	"errors"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4/database"
	pgxmigrate "github.com/golang-migrate/migrate/v4/database/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// A file that fails half way, as one does whose process is killed, leaves neither its first half nor a dirty version.
func TestAFileIsAppliedWithItsVersionOrNotAtAll(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	if err := exec(t.Context(), url, "create schema s"); err != nil {
		t.Fatal(err)
	}
	db, err := open(url, "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	inner, err := pgxmigrate.WithInstance(db, &pgxmigrate.Config{SchemaName: "s"})
	if err != nil {
		t.Fatal(err)
	}
	d := &atomic{Driver: inner, table: `"s"."schema_migrations"`}
	apply := func(version int, file string) error {
		return errors.Join(d.SetVersion(version, true), d.Run(strings.NewReader(file)))
	}
	at := func(want int) {
		t.Helper()
		if version, dirty, err := d.Version(); version != want || dirty || err != nil {
			t.Errorf("version %d, dirty %v, %v; want %d", version, dirty, err, want)
		}
	}
	if err := apply(1, "create table a (i int)"); err != nil {
		t.Fatal(err)
	}
	at(1) // before golang-migrate says clean: a kill here loses nothing
	if err := d.SetVersion(1, false); err != nil {
		t.Fatal(err)
	}
	if err := apply(2, "create table b (i int); select 1/0;"); err == nil {
		t.Fatal("a division by zero passed")
	}
	at(1)
	if err := apply(2, "create table b (i int); -- as if for the first time"); err != nil {
		t.Errorf("again: %v", err)
	}
	at(2)
	if err := apply(database.NilVersion, "drop table a; drop table b"); err != nil {
		t.Fatal(err)
	}
	at(database.NilVersion)
}
