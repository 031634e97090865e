package tenancy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/migrations/migrationstest"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

var errCrash = errors.New("crash")

// crashing is a provisioner that dies after a step.
func (p *platform) crashing(step string) *Provisioner {
	o := p.options
	o.afterStep = func(done string) error {
		if done == step {
			return errCrash
		}
		return nil
	}
	return NewProvisioner(o)
}

// owned is a tenant to ask for, with an owner.
func owned() Tenant {
	t := wanted()
	t.OwnerEmail, t.OwnerName = "owner@acme.example", "Olive Owner"
	return t
}

// whole is what there is of a tenant, without what is different about every tenant: names, ids, hashes, times and keys.
func (p *platform) whole(t testing.TB, slug Slug) []string {
	t.Helper()
	schema := namespace(ask[id.Tenant](t, p, "select id from control.tenants where slug = $1", slug))
	facts := migrationstest.Catalog(t, p.behind(t), schema)
	for _, query := range []string{
		`select concat_ws(' ', 'tenant', name, locale, region, database, state, is_master, signing_algorithm, owner_email, owner_name, owner_user_id is null,
			schema_version, coalesce(blueprint, 'no blueprint'), created_at = updated_at) from control.tenants where slug = $1`,
		`select concat_ws(' ', 'domain', replace(domain, $1, 'SLUG'), uses, verified_at is not null, is_primary) from control.domains where tenant_id = (select id from control.tenants where slug = $1)`,
		`select concat_ws(' ', 'user', u.email, u.name, u.roles, u.is_owner, u.active, u.id = t.owner_user_id, u.created_at = t.created_at) from SCHEMA.users u, control.tenants t where t.slug = $1`,
		`select concat_ws(' ', 'key', name, scopes, length(key_hash), k.created_at = t.created_at) from SCHEMA.api_keys k, (select created_at from control.tenants where slug = $1) t`,
		`select concat_ws(' ', 'signing key', version, algorithm, state, k.created_at = t.created_at) from SCHEMA.signing_keys k, (select created_at from control.tenants where slug = $1) t`,
		`select concat_ws(' ', 'version', version, dirty) from SCHEMA.schema_migrations where $1 <> ''`,
		`select concat_ws(' ', 'role', rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
			array(select m.member::regrole::text from pg_auth_members m where m.roleid = r.oid order by 1),
			array(select m.roleid::regrole::text from pg_auth_members m where m.member = r.oid order by 1)) from pg_roles r where rolname = 'SCHEMA' and $1 <> ''`,
		`select concat_ws(' ', 'schema', n.nspowner::regrole, replace(n.nspacl::text, 'SCHEMA', 'ROLE')) from pg_namespace n where nspname = 'SCHEMA' and $1 <> ''`,
	} {
		rows, err := p.behind(t).Query(t.Context(), strings.ReplaceAll(query, "SCHEMA", schema), string(slug))
		check(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		check(t, err)
		facts = append(facts, lines...)
	}
	return facts
}

func TestATenantIsMadeWhole(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	listen(t, p.directory)
	for _, algorithm := range []custody.Algorithm{"", custody.ES256, custody.EdDSA, custody.RS256} {
		w := owned()
		w.SigningAlgorithm = algorithm
		c, err := p.provision.Create(t.Context(), w)
		check(t, err)
		want := algorithm
		if want == "" {
			want = custody.Default
		}
		seen, err := p.directory.BySlug(t.Context(), w.Slug)
		check(t, err)
		seen.stamp = 0 // what was told is not from the directory's memory
		if !reflect.DeepEqual(seen, c.Tenant) {
			t.Errorf("told  %+v\nfound %+v", c.Tenant, seen)
		}
		if seen.State != Active || seen.PrimaryDomain != Host(w.Slug)+".tenants.example" || seen.SigningAlgorithm != want || seen.SchemaVersion != migrations.LatestTenant {
			t.Errorf("found %+v", seen)
		}
		keys, err := NewKeyring(p.db, p.clock.now).Of(t.Context(), seen)
		check(t, err)
		if len(keys.Public) != 1 || keys.Active.Algorithm != want || keys.Active.Version != 1 {
			t.Errorf("its keys are %+v", keys)
		}
		// The serving login signs with it and seals, which the provisioning one may not.
		if _, err := p.runtime.Sign(t.Context(), seen.ID, keys.Active.SigningKey, []byte("x")); err != nil {
			t.Errorf("signing: %v", err)
		}
		if _, err := p.runtime.Seal(t.Context(), seen.ID, []byte("x"), nil); err != nil {
			t.Errorf("sealing: %v", err)
		}
		check(t, p.db.InTx(t.Context(), seen, func(ctx context.Context, tx Tx) error {
			hash := sha256.Sum256([]byte(c.AdminKey))
			var id, owner int
			if err := tx.QueryRow(ctx, "select (select count(*) from api_keys where key_hash = $1), (select count(*) from users where id = $2 and is_owner)", hash[:], seen.OwnerID).Scan(&id, &owner); err != nil {
				return err
			}
			if id != 1 || owner != 1 {
				return fmt.Errorf("%d keys and %d owners", id, owner)
			}
			return nil
		}))
	}
}

func TestEveryTenantHasTheSameTables(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	first, second := owned(), owned()
	for _, w := range []Tenant{first, second} {
		_, err := p.provision.Create(t.Context(), w)
		check(t, err)
	}
	migrationstest.Same(t, "the second tenant", p.whole(t, second.Slug), p.whole(t, first.Slug))

	// The template was made by golang-migrate file by file; only the tenant's role, which it lacks, makes a difference.
	conn := p.behind(t)
	bare := func(schema string) (lines []string) {
		for _, l := range migrationstest.Catalog(t, conn, schema) {
			before, after, found := strings.Cut(l, " acl ")
			if strings.HasPrefix(l, "default rights") {
				continue
			}
			if _, options, ok := strings.Cut(after, " options "); found && ok {
				before += " options " + options
			}
			lines = append(lines, before)
		}
		return lines
	}
	schema := namespace(ask[id.Tenant](t, p, "select id from control.tenants where slug = $1", first.Slug))
	migrationstest.Same(t, "a tenant beside the template", bare(schema), bare(migrations.TemplateSchema))
}

// TestACrashAfterAnyStepIsMadeGood: by another replica's FinishAll, or by whoever repeats the call with its key.
func TestACrashAfterAnyStepIsMadeGood(t *testing.T) { //nolint:tparallel // FinishAll of one would finish the others'
	t.Parallel()
	p := newPlatform(t)
	listen(t, p.directory)
	platform := p.tenant(t)
	reference := owned()
	_, err := p.provision.Create(t.Context(), reference)
	check(t, err)
	want := p.whole(t, reference.Slug)
	for _, step := range []string{"reserve", "keys", "schema"} {
		for name, finish := range map[string]func(again func(*Provisioner) (json.RawMessage, error)) error{
			"FinishAll": func(func(*Provisioner) (json.RawMessage, error)) error {
				return NewProvisioner(p.options).FinishAll(t.Context(), 0)
			},
			"the repetition": func(again func(*Provisioner) (json.RawMessage, error)) error {
				_, err := again(p.provision)
				return err
			},
		} {
			t.Run("after "+step+" by "+name, func(t *testing.T) {
				w := owned()
				op := Operation{Name: "POST /v1/tenants", Key: string(w.Slug), Request: w.Slug}
				call := func(by *Provisioner) (json.RawMessage, error) {
					return by.CreateRepeatable(t.Context(), p.repeat, platform, op, w, renderCreated)
				}
				if _, err := call(p.crashing(step)); !errors.Is(err, errCrash) {
					t.Fatalf("it did not crash: %v", err)
				}
				p.invisible(t, w.Slug)
				if _, err := p.provision.Create(t.Context(), w); codeOf(err) != "slug_taken" {
					t.Errorf("the slug of a tenant half made: %v", err)
				}
				check(t, finish(call))
				migrationstest.Same(t, "what was finished", p.whole(t, w.Slug), want)
				if _, err := p.directory.BySlug(t.Context(), w.Slug); err != nil {
					t.Errorf("it is not seen: %v", err)
				}
				first, err := call(p.provision)
				check(t, err)
				second, err := call(p.provision)
				check(t, err)
				var told struct {
					ID  id.Tenant `json:"id"`
					Key string    `json:"key"`
				}
				check(t, json.Unmarshal(first, &told))
				hash := sha256.Sum256([]byte(told.Key))
				valid := ask[int](t, p, "select count(*) from "+namespace(told.ID)+".api_keys where key_hash = $1", hash[:])
				if !bytes.Equal(first, second) || valid != 1 {
					t.Errorf("repeated, it answers %s and %s; %d keys are valid", first, second, valid)
				}
				migrationstest.Same(t, "what was repeated", p.whole(t, w.Slug), want)
			})
		}
	}
}

func renderCreated(c Created) any {
	return map[string]string{"id": c.Tenant.ID.String(), "key": c.AdminKey, "domain": string(c.Tenant.PrimaryDomain)}
}

// invisible holds that nobody but the provisioner knows of a tenant.
func (p *platform) invisible(t *testing.T, slug Slug) {
	t.Helper()
	made := ask[id.Tenant](t, p, "select id from control.tenants where slug = $1", slug)
	host := Host(slug) + ".tenants.example"
	ctx := t.Context()
	for how, look := range map[string]func() (Tenant, error){
		"id": func() (Tenant, error) { return p.directory.ByID(ctx, made) }, "slug": func() (Tenant, error) { return p.directory.BySlug(ctx, slug) },
		"host": func() (Tenant, error) { return p.directory.ByHost(ctx, host) }, "reading": func() (Tenant, error) { return p.directory.Read(ctx, made) },
	} {
		if _, err := look(); !errors.Is(err, ErrUnknown) {
			t.Errorf("a tenant half made is found by %s: %v", how, err)
		}
	}
	all, err := p.directory.List(ctx, id.Tenant{}, 250)
	check(t, err)
	for _, tenant := range all {
		if tenant.ID == made {
			t.Error("a tenant half made is listed")
		}
	}
	name := "New"
	if err := p.provision.Update(ctx, made, Change{Name: &name}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a tenant half made can be changed: %v", err)
	}
}

// TestALostConnectionIsMadeGood is a crash that nobody staged: the server ends every connection of the provisioner.
func TestALostConnectionIsMadeGood(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	reference, w := owned(), owned()
	_, err := p.provision.Create(t.Context(), reference)
	check(t, err)
	o := p.options
	var cut atomic.Bool
	o.Furnisher = furnishing(func(ctx context.Context, tx Tx, blueprint string) error {
		if err := (furnisher{}).Furnish(ctx, tx, blueprint); err != nil || cut.Swap(true) {
			return err
		}
		p.do(t, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1", o.Control.pool.Config().ConnConfig.User)
		return nil
	})
	broken := NewProvisioner(o)
	if _, err := broken.Create(t.Context(), w); codeOf(err) != "unavailable" {
		t.Fatalf("the connection was lost: %v", err)
	}
	check(t, broken.FinishAll(t.Context(), 0))
	migrationstest.Same(t, "what was finished", p.whole(t, w.Slug), p.whole(t, reference.Slug))
}

// furnishing is the test's furnisher with another way to carry a blueprint out.
type furnishing func(ctx context.Context, tx Tx, blueprint string) error

func (furnishing) Plan(t Tenant) (Plan, error) { return furnisher{}.Plan(t) }

func (f furnishing) Furnish(ctx context.Context, tx Tx, blueprint string) error {
	return f(ctx, tx, blueprint)
}

func TestFinishersMayRace(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	reference := owned()
	_, err := p.provision.Create(t.Context(), reference)
	check(t, err)
	for _, step := range []string{"reserve", "keys", "schema"} {
		w := owned()
		_, err := p.crashing(step).Create(t.Context(), w)
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		inParallel(t, 4, func(int) error { return NewProvisioner(p.options).FinishAll(t.Context(), 0) })
		migrationstest.Same(t, "after "+step, p.whole(t, w.Slug), p.whole(t, reference.Slug))
	}
}

// TestALateFinisherChangesNothing: it read the record while the tenant was half made, and comes to it when it is in use.
func TestALateFinisherChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	w := owned()
	if _, err := p.crashing("reserve").Create(t.Context(), w); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	late, err := p.provision.unfinished(t.Context(), p.clock.now())
	check(t, err)
	check(t, p.provision.FinishAll(t.Context(), 0))
	tenant := late[0].tenant
	p.do(t, "delete from "+namespace(tenant.ID)+".api_keys")
	p.do(t, "update control.tenants set state = 'suspended' where id = $1", tenant.ID)
	check(t, p.provision.complete(t.Context(), tenant, late[0].blueprint))
	if n := ask[int](t, p, "select count(*) from "+namespace(tenant.ID)+".api_keys"); n != 0 {
		t.Error("the key that was revoked is back")
	}
	if state := ask[string](t, p, "select state from control.tenants where id = $1", tenant.ID); state != "suspended" {
		t.Errorf("the suspended tenant is %s", state)
	}
}

// TestFinishAllLeavesYoungRecordsAlone: their call is still running.
func TestFinishAllLeavesYoungRecordsAlone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	w := wanted()
	if _, err := p.crashing("reserve").Create(t.Context(), w); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	check(t, p.provision.FinishAll(t.Context(), Abandoned))
	p.invisible(t, w.Slug)
	p.clock.advance(Abandoned)
	check(t, p.provision.FinishAll(t.Context(), Abandoned))
	if _, err := p.directory.BySlug(t.Context(), w.Slug); err != nil {
		t.Errorf("a minute later it is not finished: %v", err)
	}
}

func TestOneSlugIsOneTenant(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for range 5 {
		w := wanted()
		var made, refused atomic.Int32
		inParallel(t, 2, func(int) error {
			_, err := NewProvisioner(p.options).Create(t.Context(), w)
			switch codeOf(err) {
			case "ok":
				made.Add(1)
			case "slug_taken":
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
		if made.Load() != 1 || refused.Load() != 1 {
			t.Errorf("%d were made and %d refused", made.Load(), refused.Load())
		}
	}
}

func TestASlugIsNeverGivenAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	for name, prepare := range map[string]func(w Tenant){
		"active":    func(w Tenant) { _, err := p.provision.Create(t.Context(), w); check(t, err) },
		"half made": func(w Tenant) { _, _ = p.crashing("keys").Create(t.Context(), w) },
		"suspended": func(w Tenant) {
			_, err := p.provision.Create(t.Context(), w)
			check(t, err)
			p.do(t, "update control.tenants set state = 'suspended' where slug = $1", w.Slug)
		},
	} {
		w := wanted()
		prepare(w)
		_, err := p.provision.Create(t.Context(), w)
		if codeOf(err) != "slug_taken" {
			t.Errorf("the slug of a tenant that is %s: %v", name, err)
		}
	}
}

func TestTenAtOnceWithOneKeyCreateOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	platform := p.tenant(t)
	w := owned()
	op := Operation{Name: "POST /v1/tenants", Key: "once", Request: "acme"}
	var mu sync.Mutex
	answers := map[string]int{}
	inParallel(t, 10, func(int) error {
		body, err := NewProvisioner(p.options).CreateRepeatable(t.Context(), p.repeat, platform, op, w, renderCreated)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		answers[string(body)]++
		// Whoever is answered can use the tenant.
		if state := ask[string](t, p, "select state from control.tenants where slug = $1", w.Slug); state != "active" {
			return fmt.Errorf("answered while the tenant is %s", state)
		}
		return nil
	})
	if len(answers) != 1 {
		t.Errorf("the answers are %v", answers)
	}
	if n := ask[int](t, p, "select count(*) from control.tenants"); n != 2 {
		t.Errorf("there are %d tenants, want the platform and one more", n)
	}
	op.Request = "globex"
	if _, err := p.provision.CreateRepeatable(t.Context(), p.repeat, platform, op, w, renderCreated); codeOf(err) != "idempotency_conflict" {
		t.Errorf("the same key with another body: %v", err)
	}
	kept := ask[string](t, p, "select string_agg(answer, ' ') from control.idempotency_keys")
	for answer := range answers {
		var told map[string]string
		check(t, json.Unmarshal([]byte(answer), &told))
		if strings.Contains(kept, told["key"]) || strings.Contains(kept, "domain") {
			t.Errorf("the answer is kept readable: %s", kept)
		}
	}
}

// TestASealedVaultMakesNoTenant, and leaves nothing of one.
func TestASealedVaultMakesNoTenant(t *testing.T) {
	t.Parallel()
	in := tenancytest.Install(t)
	runtime, provisioner, server := tenancytest.OwnVault(t)
	in.Runtime, in.Provisioner = runtime, provisioner
	p := assemble(t, in)
	platform := p.tenant(t)
	w := owned()
	op := Operation{Name: "POST /v1/tenants", Key: "k", Request: w.Slug}
	check(t, server.Seal(t.Context()))
	unavailable(t, "Create", func() error { _, err := p.provision.Create(t.Context(), w); return err })
	unavailable(t, "CreateRepeatable", func() error {
		_, err := p.provision.CreateRepeatable(t.Context(), p.repeat, platform, op, w, renderCreated)
		return err
	})
	for what, query := range map[string]string{
		"tenants": "select count(*) from control.tenants", "domains": "select count(*) from control.domains",
		"schemas": `select count(*) from pg_namespace where nspname ~ '^t_[0-9a-f]{32}$'`,
	} {
		if n := ask[int](t, p, query); n != 1 { // the platform's own
			t.Errorf("there are %d %s", n, what)
		}
	}
	if n := ask[int](t, p, "select count(*) from control.idempotency_keys"); n != 0 {
		t.Errorf("%d answers are kept", n)
	}
	check(t, server.Unseal(t.Context()))
	within(t, 10*promised/2, "the same call works", func() bool {
		_, err := p.provision.CreateRepeatable(t.Context(), p.repeat, platform, op, w, renderCreated)
		return err == nil
	})
}

// failingKeys is a Keymaster that dies between being asked whether it is there and being asked for keys.
type failingKeys struct {
	custody.Keymaster
	failures  atomic.Int32
	destroyed atomic.Int32
}

func (f *failingKeys) Create(ctx context.Context, t id.Tenant, alg custody.Algorithm) error {
	if f.failures.Add(-1) >= 0 {
		return fmt.Errorf("%w: on purpose", custody.ErrUnavailable)
	}
	return f.Keymaster.Create(ctx, t, alg)
}

func (f *failingKeys) Destroy(ctx context.Context, t id.Tenant) error {
	f.destroyed.Add(1)
	return f.Keymaster.Destroy(ctx, t)
}

// TestCustodyThatFailsHalfway: a call that can be repeated keeps its reservation, one that cannot gives the slug back.
func TestCustodyThatFailsHalfway(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	platform := p.tenant(t)
	o := p.options
	keys := &failingKeys{Keymaster: o.Keys}
	o.Keys = keys
	fragile := NewProvisioner(o)

	once := owned()
	keys.failures.Store(1)
	unavailable(t, "Create", func() error { _, err := fragile.Create(t.Context(), once); return err })
	if n := ask[int](t, p, "select count(*) from control.tenants where slug = $1", once.Slug); n != 0 || keys.destroyed.Load() != 1 {
		t.Errorf("%d records are left, keys were destroyed %d times", n, keys.destroyed.Load())
	}
	if n := ask[int](t, p, "select count(*) from control.domains where domain like $1", string(once.Slug)+".%"); n != 0 {
		t.Error("its domain is left")
	}
	_, err := fragile.Create(t.Context(), once)
	check(t, err)

	repeated := owned()
	op := Operation{Name: "POST /v1/tenants", Key: "k", Request: repeated.Slug}
	keys.failures.Store(1)
	unavailable(t, "CreateRepeatable", func() error {
		_, err := fragile.CreateRepeatable(t.Context(), p.repeat, platform, op, repeated, renderCreated)
		return err
	})
	p.invisible(t, repeated.Slug)
	_, err = fragile.CreateRepeatable(t.Context(), p.repeat, platform, op, repeated, renderCreated)
	check(t, err)
	migrationstest.Same(t, "what was repeated", p.whole(t, repeated.Slug), p.whole(t, once.Slug))
}

// TestATenantsRoleMayReadAndWriteRowsAndNothingElse.
func TestATenantsRoleMayReadAndWriteRowsAndNothingElse(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant, other := p.tenant(t), p.tenant(t)
	schema := namespace(tenant.ID)
	provisioner := p.provisioning.pool.Config().ConnConfig.User
	if n := ask[int](t, p, `select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and (c.relowner <> $2::regrole or n.nspowner <> $2::regrole)`, schema, provisioner); n != 0 {
		t.Errorf("%d relations are not owned by the provisioning role", n)
	}
	conn := p.behind(t)
	_, err := conn.Exec(t.Context(), "set role "+schema+"; set search_path to "+schema)
	check(t, err)
	for _, statement := range []string{
		"create table mine (id int)", "alter table users add column extra text", "drop table sessions", "truncate users", "create index on users (name)",
		"create function f() returns int language sql as 'select 1'", "create view v as select 1", "create temp table mine (id int)", "create schema mine",
		"create role mine", "comment on table users is 'x'",
		"select * from schema_migrations", "update schema_migrations set dirty = true", "delete from schema_migrations",
		"create trigger x after insert on users execute function control.announce_tenant()", "alter table users disable trigger all",
		"select * from " + namespace(other.ID) + ".users", "select * from control.tenants", "select * from control.domains for update",
		"copy users to '/tmp/users'", "copy users from program 'true'",
	} {
		if _, err := conn.Exec(t.Context(), statement); sqlState(err) != "42501" && sqlState(err) != "0LP01" {
			t.Errorf("%s: %v, want 42501", statement, err)
		}
	}
	before := migrationstest.Catalog(t, p.behind(t), schema)
	for _, grant := range []string{"grant select on users to public", "grant usage on schema " + schema + " to public"} {
		_, err := conn.Exec(t.Context(), grant) // Postgres warns only
		check(t, err)
	}
	migrationstest.Same(t, "after grants that it may not give", migrationstest.Catalog(t, p.behind(t), schema), before)
	for _, table := range []string{"users", "sessions", "api_keys", "signing_keys", "idempotency_keys"} {
		for _, statement := range []string{"select * from " + table, "delete from " + table} {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
	}
}

// TestLaterTablesAreTheTenantsToo: a migration made after the tenant has to give no rights.
func TestLaterTablesAreTheTenantsToo(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	tenant := p.tenant(t)
	conn, err := pgx.Connect(t.Context(), p.ProvisionerURL)
	check(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), "create table "+namespace(tenant.ID)+".later (id int)")
	check(t, err)
	check(t, p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, "insert into later values (1)")
		return err
	}))
}

func TestAGivenDomainThatIsTakenIsNotGiven(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	holder := p.tenant(t)
	w := wanted()
	p.domain(t, holder, Host(w.Slug)+".tenants.example", UseHost)
	c, err := p.provision.Create(t.Context(), w)
	check(t, err)
	read, err := p.directory.Read(t.Context(), c.Tenant.ID)
	check(t, err)
	if c.Tenant.PrimaryDomain != "" || read.PrimaryDomain != "" {
		t.Errorf("told %q, kept %q", c.Tenant.PrimaryDomain, read.PrimaryDomain)
	}
	if got, err := p.directory.ByHost(t.Context(), Host(w.Slug)+".tenants.example"); err != nil || got.ID != holder.ID {
		t.Errorf("the name now leads to %s, %v", got.ID, err)
	}

	// It is taken between the look and the reservation: the answer, sealed in between, is made again.
	w = wanted()
	var answers []Host
	c, err = p.provision.create(t.Context(), Actor{}, w, func(c Created) (*filed, error) {
		if len(answers) == 0 {
			p.domain(t, holder, Host(w.Slug)+".tenants.example", UseHost)
		}
		answers = append(answers, c.Tenant.PrimaryDomain)
		return nil, nil
	})
	check(t, err)
	if len(answers) != 2 || answers[0] == "" || answers[1] != "" || c.Tenant.PrimaryDomain != "" {
		t.Errorf("the answers were %q, and told was %q", answers, c.Tenant.PrimaryDomain)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	master := wanted()
	master.Master = true
	m, err := p.provision.Create(t.Context(), master)
	check(t, err)
	tenant := p.tenant(t)
	yes, no, name, locale := true, false, "Renamed", "fr"
	read := func(t2 id.Tenant) Tenant {
		got, err := p.directory.Read(t.Context(), t2)
		check(t, err)
		return got
	}
	check(t, p.provision.Update(t.Context(), tenant.ID, Change{Name: &name}))
	if got := read(tenant.ID); got.Name != name || got.Locale != tenant.Locale || got.State != Active || !got.UpdatedAt.After(tenant.UpdatedAt) {
		t.Errorf("renamed: %+v", got)
	}
	check(t, p.provision.Update(t.Context(), tenant.ID, Change{Suspended: &yes, Locale: &locale}))
	if got := read(tenant.ID); got.State != Suspended || got.Locale != locale || got.Name != name {
		t.Errorf("suspended: %+v", got)
	}
	check(t, p.provision.Update(t.Context(), tenant.ID, Change{Suspended: &no}))
	if got := read(tenant.ID); got.State != Active {
		t.Errorf("resumed: %+v", got)
	}
	if err := p.provision.Update(t.Context(), m.Tenant.ID, Change{Suspended: &yes, Name: &name}); codeOf(err) != "platform_protected" {
		t.Errorf("suspending the platform: %v", err)
	}
	if got := read(m.Tenant.ID); got.State != Active || got.Name == name {
		t.Errorf("the platform is %+v", got)
	}
	if err := p.provision.Update(t.Context(), id.NewTenant(), Change{Name: &name}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a tenant that is not there: %v", err)
	}
	second := wanted()
	second.Master = true
	if _, err := p.provision.Create(t.Context(), second); err == nil {
		t.Error("there are two platform tenants")
	}
}

// TestTheRecordSaysWhatWasBuilt: a replica of the version before made the schema and crashed, and one of this version finishes. If
// the record said what this version would have built, nobody would ever migrate the tenant.
func TestTheRecordSaysWhatWasBuilt(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	w := wanted()
	if _, err := p.crashing("schema").Create(t.Context(), w); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	tenant := ask[id.Tenant](t, p, "select id from control.tenants where slug = $1", w.Slug)
	before := migrations.LatestTenant - 1
	p.do(t, fmt.Sprintf("update %s.schema_migrations set version = %d", namespace(tenant), before))
	check(t, p.provision.FinishAll(t.Context(), 0))
	got, err := p.directory.Read(t.Context(), tenant)
	check(t, err)
	if got.SchemaVersion != before || got.State != Active {
		t.Errorf("it is %s at version %d, want active at %d", got.State, got.SchemaVersion, before)
	}
}
