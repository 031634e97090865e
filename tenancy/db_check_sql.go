package tenancy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// UnsafeRoleError says why a login role must not serve requests.
type UnsafeRoleError struct{ Reasons []string }

// Error is a sentence for the operator.
func (e *UnsafeRoleError) Error() string {
	return "this role must not serve requests: it " + strings.Join(e.Reasons, ", and ")
}

// Check holds the serving role of every database against what isolation rests on, and the directory's version against
// the one this binary was made for. A database without the directory that does not answer, was not migrated or has an unsafe
// role is put aside, so that nobody reaches it: see [DB.Watch], which says why. Errors: *UnsafeRoleError.
func (db *DB) Check(ctx context.Context) error {
	for name, pool := range db.pools {
		err := checkDatabase(ctx, pool)
		switch {
		case err == nil:
		case ctx.Err() != nil || pool == db.control:
			return fmt.Errorf("database %s: %w", name, err)
		default:
			db.aside[name].Store(true)
		}
	}
	return db.CheckDirectory(ctx)
}

// CheckDirectory holds the directory's version against the one this binary was made for.
func (db *DB) CheckDirectory(ctx context.Context) error {
	return db.inDirectory(ctx, func(ctx context.Context, tx directoryTx) error {
		var version int
		if err := tx.QueryRow(ctx, `select version from schema_migrations where not dirty`).Scan(&version); err != nil {
			return fmt.Errorf("the directory has no whole version, run gatehouse migrate: %w", err)
		}
		if version < migrations.LatestControl {
			return fmt.Errorf("the directory is at version %d and this binary needs %d: run gatehouse migrate", version, migrations.LatestControl)
		}
		return nil
	})
}

// Watch checks the databases that were put aside until all answer and are safe, or ctx ends. Their tenants are answered
// with 503 until then.
func (db *DB) Watch(ctx context.Context, log *slog.Logger) {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		all := true
		for name, aside := range db.aside {
			if !aside.Load() {
				continue
			}
			if err := checkDatabase(ctx, db.pools[name]); err != nil {
				all = false
				log.LogAttrs(ctx, slog.LevelError, "a database is put aside, its tenants are answered with 503", slog.String("database", name), slog.Any("error", err))
				continue
			}
			aside.Store(false)
			log.LogAttrs(ctx, slog.LevelInfo, "a database that was put aside is in use", slog.String("database", name))
		}
		if all {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func checkDatabase(ctx context.Context, pool *Pool) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return errors.Join(checkRole(ctx, pool), checkJobs(ctx, pool))
}

// checkJobs asks for what came later than the first installations.
func checkJobs(ctx context.Context, pool *Pool) error {
	var role, schema bool
	err := pool.row(ctx, `select exists (select from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles us on us.oid = m.member
			where r.rolname = $1 and us.rolname = current_user), exists (select from pg_namespace where nspname = $2)`,
		[]any{migrations.JobsRole, migrations.JobsSchema}, &role, &schema)
	switch {
	case err != nil:
		return classify(ctx, err)
	case !role:
		return errors.New("this role cannot work jobs: run the script of gatehouse migrate roles again, then gatehouse migrate")
	case !schema:
		return errors.New("it was not brought to this version: run gatehouse migrate")
	}
	return nil
}

func checkRole(ctx context.Context, pool *Pool) error {
	var super, inherit, bypass, create, owns bool
	var path string
	err := pool.row(ctx, `select r.rolsuper, r.rolinherit, r.rolbypassrls, r.rolcreaterole or r.rolcreatedb,
			exists (select from pg_class c where c.relowner = r.oid), current_setting('search_path')
		from pg_roles r where r.rolname = current_user`, nil, &super, &inherit, &bypass, &create, &owns, &path)
	if err != nil {
		return classify(ctx, err)
	}
	var e UnsafeRoleError
	for reason, is := range map[string]bool{
		"is a superuser": super, "is not NOINHERIT": inherit, "bypasses row security": bypass,
		"may create roles or databases": create, "owns tables": owns,
		"has a search_path other than " + migrations.TemplateSchema: path != migrations.TemplateSchema,
	} {
		if is {
			e.Reasons = append(e.Reasons, reason)
		}
	}
	if len(e.Reasons) > 0 {
		return &e
	}
	return nil
}
