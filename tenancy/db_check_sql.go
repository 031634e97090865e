package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// UnsafeRoleError says why a login role must not serve requests.
type UnsafeRoleError struct{ Reasons []string }

// Error is a sentence for the operator.
func (e *UnsafeRoleError) Error() string {
	return "this role must not serve requests: it " + strings.Join(e.Reasons, ", and ")
}

// Check holds the serving role of every database against what isolation rests on, and the directory's version against
// the one this binary was made for. Errors: *UnsafeRoleError.
func (db *DB) Check(ctx context.Context) error {
	for _, pool := range db.pools {
		if err := errors.Join(checkRole(ctx, pool), checkJobs(ctx, pool)); err != nil {
			return err
		}
	}
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
		return errors.New("there are no jobs yet: run gatehouse migrate")
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
