// Package migrations holds the database's shape as SQL files and applies them.
//
// There are two sets. control is the directory of the platform, one per installation. tenant is what each tenant
// owns, applied once per tenant schema. (Beside them, each database has the schema of its [Jobs].) Both are golang-migrate files, so `gatehouse migrate` and golang-migrate's own
// command agree about which version a schema is at.
//
// Two traps are closed here. golang-migrate's SchemaName moves only its version table: the body of a migration runs
// under the connection's search_path, so every run gets a connection whose search_path is the one schema meant. And
// applying files one by one takes twice as long as one script, so new tenants get [TenantScript], which a test holds
// equal to the files.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	pgxmigrate "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed control/*.sql tenant/*.sql
var files embed.FS

// ControlSchema is the schema of the platform's directory.
const ControlSchema = "control"

// TemplateSchema has the tables of a tenant and no rows: it is the search_path of a serving connection that has not
// been given a tenant, so that a query which forgot its tenant is refused (SQLSTATE 42501) and finds nothing.
const TemplateSchema = "tenant_template"

// Control brings the database of the directory to the newest version: what every [Database] has, and the directory. url is
// the provisioning role's. It is safe to run again and from several processes at once.
func Control(ctx context.Context, url string) error {
	if err := Database(ctx, url); err != nil {
		return err
	}
	return apply(ctx, url, ControlSchema, "control")
}

// Database brings what every database has that tenants live in, the jobs and the empty template, to the newest version. url
// is the provisioning role's there. It is safe to run again and from several processes at once.
func Database(ctx context.Context, url string) error {
	if err := Jobs(ctx, url); err != nil { // first: tables of tenants have triggers that put jobs there
		return err
	}
	if err := Tenant(ctx, url, TemplateSchema); err != nil {
		return err
	}
	// Looking a name up needs USAGE on its schema, else Postgres skips the schema silently; reading needs a right on
	// the table, which nobody is given here.
	return exec(ctx, url, oneAtATime+"grant usage on schema "+TemplateSchema+" to public")
}

// Tenant brings one tenant's schema to the newest version.
func Tenant(ctx context.Context, url, schema string) error { return apply(ctx, url, schema, "tenant") }

// LatestTenant is the version that TenantScript and Tenant bring a schema to.
var LatestTenant = Tenants.Latest()

// LatestControl is the version that Control brings the directory to.
var LatestControl = embedded("control").Latest()

// TenantScript is every tenant migration as one script, its version table included. It is run with the new schema
// alone on the search_path, in one transaction.
func TenantScript() string {
	var b strings.Builder
	b.WriteString("create table schema_migrations (version bigint not null primary key, dirty boolean not null);\n")
	fmt.Fprintf(&b, "insert into schema_migrations (version, dirty) values (%d, false);\n", LatestTenant)
	for _, m := range Tenants.After(0) {
		b.WriteString(m.SQL)
		b.WriteString("\n")
	}
	return b.String()
}

func apply(ctx context.Context, url, schema, set string) error {
	// A schema that a later release has brought further is none of ours; golang-migrate would miss the file it stands at.
	if at, err := standing(ctx, url, schema); err != nil || at >= embedded(set).Latest() {
		return err
	}
	if err := exec(ctx, url, oneAtATime+"create schema if not exists "+pgx.Identifier{schema}.Sanitize()); err != nil {
		return fmt.Errorf("migrations: make schema %s: %w", schema, err)
	}
	db, err := open(url, schema)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	driver, err := pgxmigrate.WithInstance(db, &pgxmigrate.Config{SchemaName: schema})
	if err != nil {
		return fmt.Errorf("migrations: %s: %w", schema, err)
	}
	source, err := iofs.New(files, set)
	if err != nil {
		return err
	}
	table := pgx.Identifier{schema, pgxmigrate.DefaultMigrationsTable}.Sanitize()
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", &atomic{Driver: driver, table: table})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	defer func() { _, _ = m.Close() }()
	if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrations: %s: %w", schema, err)
	}
	return ctx.Err()
}

// standing is the version at which a schema is, by its own account; 0 for one that is not there, has no version, or is dirty.
func standing(ctx context.Context, url, schema string) (version int, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	table := pgx.Identifier{schema, pgxmigrate.DefaultMigrationsTable}.Sanitize()
	err = conn.QueryRow(ctx, "select coalesce(max(version) filter (where not dirty), 0) from "+table).Scan(&version)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == pgerrcode.UndefinedTable { // said of a schema that is not there, too
		return 0, nil
	}
	return version, err
}

// open pins the connection to one schema: a migration that names a table unqualified cannot land anywhere else, in
// particular not in public. It also asks whether the pin holds, because a connection pooler in between may drop start-up
// parameters without a word.
func open(url, schema string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("migrations: database URL: %w", err)
	}
	config.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		var first string
		err := conn.QueryRow(ctx, "select coalesce(current_schema(), '')").Scan(&first)
		if err == nil && first != schema {
			err = fmt.Errorf("the connection does not keep its search_path (%q and not %q); migrate without a connection pooler", first, schema)
		}
		return err
	})), nil
}

// oneAtATime comes before what fails when two processes do it at once: "if not exists" looks before it leaps, and two
// grants on one object are a "tuple concurrently updated". A text of several statements is one transaction.
const oneAtATime = "select pg_advisory_xact_lock(hashtextextended('gatehouse migrations', 0));\n"

func exec(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
