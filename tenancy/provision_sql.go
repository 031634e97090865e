package tenancy

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// filed is an answer to be kept with a reservation.
type filed struct {
	slot   slot
	sealed string
}

type unfinished struct {
	tenant    Tenant
	blueprint string
}

// isSchema asks the catalog's table and not to_regnamespace: that answers from the backend's memory, which an advisory lock does
// not bring up to date, so that a schema which was renamed or dropped before the lock was had would seem to be there still.
const isSchema = `select exists (select from pg_namespace where nspname = $1)`

// makeSchema makes a tenant's role and schema with all tables, of a blank one where one is ready, and leaves the
// transaction's search_path there. Where the schema is there already nothing is done, and made is false.
//
// The lock closes the race of two replicas that finish the same tenant: "create schema if not exists" alone fails with
// a unique violation when both get there at once.
func makeSchema(ctx context.Context, c provisionTx, name, runtimeRole string) (made bool, err error) {
	var there, role bool
	if _, err := c.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended($1, 0))`, name); err != nil {
		return false, err
	}
	if err := c.QueryRow(ctx, `select exists (select from pg_namespace where nspname = $1), exists (select from pg_roles where rolname = $1)`, name).Scan(&there, &role); err != nil || there {
		return false, err
	}
	if !role { // a blank schema's own takes the name
		if claimed, err := claimBlank(ctx, c, name); err != nil || claimed {
			return claimed, err
		}
	}
	err = buildSchema(ctx, c, name, runtimeRole)
	return err == nil, err
}

// buildSchema makes a role and a schema of one name and leaves the transaction's search_path there. The schema belongs to the
// provisioning role; the tenant's role may read and write rows and nothing else, so not even a statement smuggled into the
// service could change a table.
func buildSchema(ctx context.Context, c provisionTx, name, runtimeRole string) error {
	runtime := pgx.Identifier{runtimeRole}.Sanitize()
	// The version table comes before the default privileges: a tenant's role has no business with it.
	// Roles are the server's, and a tenant that comes from another database there has its own.
	script := `do $$ begin
	if to_regrole('` + name + `') is null then
		create role ` + name + ` nologin noinherit;
	end if;
end $$;
grant ` + name + ` to ` + runtime + `;
create schema ` + name + `;
grant usage on schema ` + name + ` to ` + name + `;
alter default privileges in schema ` + name + ` grant select, insert, update, delete on tables to ` + name + `;
set local search_path to ` + name + `;
` + migrations.TenantScript() + `
revoke all on schema_migrations from ` + name
	_, err := c.Exec(ctx, script) // no arguments: the simple protocol, which takes several statements at once
	return err
}

// schemaVersion is where a schema stands by its own account. The text is made for the one schema, so it is not kept as a
// prepared statement.
func schemaVersion(ctx context.Context, c provisionTx, name string) (version int, err error) {
	err = c.QueryRow(ctx, `select version from `+name+`.schema_migrations`, pgx.QueryExecModeExec).Scan(&version)
	return version, err
}

// reserve records the tenant as being provisioned, in a database that has room, with its first domain and, if there is one,
// the answer kept for repetition. It says which database. Errors: errNotFirst, errDomainTaken, 409 slug_taken, and those of
// choose.
func (p *Provisioner) reserve(ctx context.Context, by Actor, t Tenant, blueprint string, answer *filed) (database string, err error) {
	away := p.away(ctx)
	err = p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		if answer != nil {
			earlier, err := claimAnswer(ctx, c, answer.slot, answer.sealed)
			if err != nil {
				return err
			}
			if earlier != "" {
				return errNotFirst
			}
		}
		if database, err = p.place(ctx, c, t, away); err != nil {
			return err
		}
		t.Database = database
		if err := insertTenant(ctx, c, t, blueprint); err != nil {
			return err
		}
		if err := p.tellOfMaking(ctx, c, by, t); err != nil || t.PrimaryDomain == "" {
			return err
		}
		d := newDomain(t.ID, t.PrimaryDomain, []Use{UseHost}, t.CreatedAt)
		d.VerifiedAt, d.Primary, d.given = &t.CreatedAt, true, true
		err = insertDomain(ctx, c, d)
		if Violates(err, "domains_one_holder") {
			return errDomainTaken
		}
		return err
	})
	return database, err
}

func insertTenant(ctx context.Context, c provisionTx, t Tenant, blueprint string) error {
	_, err := c.Exec(ctx, `insert into tenants (id, slug, name, locale, region, database, state, is_master, signing_algorithm,
		owner_email, owner_name, owner_user_id, schema_version, blueprint, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, 'provisioning', $7, $8, nullif($9, ''), nullif($10, ''), $11, 0, $12, $13, $13)`,
		t.ID, t.Slug, t.Name, t.Locale, t.Region, t.Database, t.Master, t.SigningAlgorithm,
		t.OwnerEmail, t.OwnerName, t.OwnerID, blueprint, t.CreatedAt)
	if Violates(err, "tenants_slug_key") {
		return slugTaken().With(err)
	}
	return err
}

// freeDomain is the domain that a new tenant is given, or "" where none is given or the name is held.
func (p *Provisioner) freeDomain(ctx context.Context, s Slug) (Host, error) {
	if p.DomainSuffix == "" {
		return "", nil
	}
	h := Host(string(s) + "." + string(p.DomainSuffix))
	if slices.ContainsFunc(p.Reserved, func(r Host) bool { return h.Within(r) && r != p.DomainSuffix || r.Within(h) }) {
		return "", nil
	}
	err := p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		var held bool
		err := c.QueryRow(ctx, `select exists (select from domains where domain = $1 and verified_at is not null)`, h).Scan(&held)
		if held {
			h = ""
		}
		return err
	})
	return h, err
}

// activate makes the tenant visible, with the version that its schema was made at. The guard lets only one of several
// finishers do it, so it is announced once; first tells whether it was this one.
func (p *Provisioner) activate(ctx context.Context, t Tenant, version int) (first bool, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		tag, err := c.Exec(ctx, `update tenants set state = 'active', blueprint = null, schema_version = $2
			where id = $1 and state = 'provisioning'`, t.ID, version)
		first = err == nil && tag.RowsAffected() == 1
		return err
	})
	return first, err
}

func (p *Provisioner) unreserve(ctx context.Context, t id.Tenant) error {
	return p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		_, err := c.Exec(ctx, `delete from domains where tenant_id = (select id from tenants where id = $1 and state = 'provisioning')`, t)
		if err != nil {
			return err
		}
		tag, err := c.Exec(ctx, `delete from tenants where id = $1 and state = 'provisioning'`, t)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return forgetOutgoing(ctx, c, t)
	})
}

// unfinished are the oldest of each database, by turns: what waits for one that is away keeps no other waiting.
func (p *Provisioner) unfinished(ctx context.Context, before time.Time) (all []unfinished, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		all, err = queryUnfinished(ctx, c, `t.created_at < $1
			order by row_number() over (partition by t.database order by t.created_at), t.created_at limit 100`, before)
		return err
	})
	return all, err
}

func (p *Provisioner) unfinishedByID(ctx context.Context, t id.Tenant) (u unfinished, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		all, err := queryUnfinished(ctx, c, `t.id = $1`, t)
		if err == nil && len(all) == 0 {
			return ErrUnknown
		}
		if err == nil {
			u = all[0]
		}
		return err
	})
	return u, err
}

func queryUnfinished(ctx context.Context, c provisionTx, where string, args ...any) ([]unfinished, error) {
	rows, err := c.Query(ctx, `select `+tenantColumns+`, t.blueprint from tenants t where t.state = 'provisioning' and `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (u unfinished, err error) {
		u.tenant, err = scanTenant(withExtra{row, &u.blueprint})
		return u, err
	})
}

// withExtra scans one more column than the scanner it is handed to knows of.
type withExtra struct {
	pgx.CollectableRow
	extra any
}

func (w withExtra) Scan(into ...any) error { return w.CollectableRow.Scan(append(into, w.extra)...) }

func (p *Provisioner) answer(ctx context.Context, s slot) (sealed string, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, c provisionTx) error {
		sealed, err = readAnswer(ctx, c, s)
		return err
	})
	return sealed, err
}
