package tenancy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/migrations/migrationstest"
)

// readyPlatform is one that keeps n blanks, and has made them.
func readyPlatform(t *testing.T, n int) *platform {
	t.Helper()
	p := newPlatform(t)
	p.options.Ready = n
	p.provision = NewProvisioner(p.options)
	p.refill(t)
	if got := len(p.blanks(t)); got != n {
		t.Fatalf("%d schemas are ready, want %d", got, n)
	}
	return p
}

// refill does all that there is to do.
func (p *platform) refill(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = p.provision.refill(t.Context(), p.options.Placements[testDatabase])
		check(t, err)
	}
}

func (p *platform) blanks(t *testing.T) (names []string) {
	t.Helper()
	check(t, p.provisioning.inTx(t.Context(), func(ctx context.Context, c provisionTx) (err error) {
		names, err = listBlanks(ctx, c)
		return err
	}))
	return names
}

// TestAClaimedTenantIsLikeABuiltOne: Postgres knows the same of both, and both work.
func TestAClaimedTenantIsLikeABuiltOne(t *testing.T) {
	t.Parallel()
	p := readyPlatform(t, 1)
	claimed := p.tenant(t)
	if left := p.blanks(t); len(left) != 0 {
		t.Fatalf("a tenant was made and %v is left", left)
	}
	built := p.tenant(t)
	conn, err := pgx.Connect(t.Context(), p.SuperuserURL)
	check(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	migrationstest.Same(t, "a claimed tenant", migrationstest.Catalog(t, conn, namespace(claimed.ID)), migrationstest.Catalog(t, conn, namespace(built.ID)))
	var roles []string
	for _, tenant := range []Tenant{claimed, built} {
		var role string
		check(t, conn.QueryRow(t.Context(), `select concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
			(select string_agg(concat_ws(' ', m.member::regrole, m.admin_option), ', ' order by m.member::regrole::text) from pg_auth_members m where m.roleid = r.oid),
			(select array(select (unnest(nspacl)::text) order by 1) from pg_namespace where nspname = rolname)) from pg_roles r where rolname = $1`, namespace(tenant.ID)).Scan(&role))
		roles = append(roles, strings.ReplaceAll(role, namespace(tenant.ID), "TENANT"))
		check(t, p.db.InTx(t.Context(), tenant, func(ctx context.Context, tx Tx) error {
			var n int
			return tx.QueryRow(ctx, `select count(*) from signing_keys`).Scan(&n)
		}))
	}
	if roles[0] != roles[1] {
		t.Errorf("the role of a claimed tenant is\n%s, that of a built one\n%s", roles[0], roles[1])
	}
}

// TestRacingCreationsClaimEachBlankOnce: two replicas, more tenants than blanks, and somebody who refills meanwhile.
func TestRacingCreationsClaimEachBlankOnce(t *testing.T) {
	t.Parallel()
	p := readyPlatform(t, 4)
	replicas := []*Provisioner{p.provision, NewProvisioner(p.options)}
	inParallel(t, 10, func(i int) error {
		if i >= 8 {
			_, err := replicas[i%2].refill(t.Context(), p.options.Placements[testDatabase])
			return err
		}
		_, err := replicas[i%2].Create(t.Context(), wanted())
		return err
	})
	if held := p.perDatabase(t, p.options.Placements); held[testDatabase] != 8 {
		t.Errorf("%d tenants, want 8", held[testDatabase])
	}
	inParallel(t, 8, func(i int) error {
		for range 4 {
			if _, err := replicas[i%2].refill(t.Context(), p.options.Placements[testDatabase]); err != nil {
				return err
			}
		}
		return nil
	})
	p.refill(t)
	if n := len(p.blanks(t)); n != 4 {
		t.Errorf("%d schemas are ready, want 4", n)
	}
}

// TestBlanksOfOtherVersions: an older one is replaced, a newer one is left to newer replicas, and no tenant gets either.
func TestBlanksOfOtherVersions(t *testing.T) {
	t.Parallel()
	p := readyPlatform(t, 2)
	blanks := p.blanks(t)
	older, newer := blanks[0], blanks[1]
	p.do(t, "update "+older+".schema_migrations set version = version - 1")
	p.do(t, "update "+newer+".schema_migrations set version = version + 1")
	made := p.tenant(t)
	if made.SchemaVersion != migrations.LatestTenant || !slices.Equal(p.blanks(t), blanks) {
		t.Errorf("a tenant is at %s; left is %v of %v", strconv.Itoa(made.SchemaVersion), p.blanks(t), blanks)
	}
	p.refill(t)
	if now := p.blanks(t); len(now) != 2 || slices.Contains(now, older) || !slices.Contains(now, newer) {
		t.Errorf("ready are %v; %s was too old, %s newer", now, older, newer)
	}
	var left int
	check(t, p.provisioning.pool.QueryRow(t.Context(), `select count(*) from pg_roles where rolname = $1`, older).Scan(&left))
	if left != 0 {
		t.Error("the role of a dropped blank is left")
	}
}

// TestAClaimThatIsCutShortGivesTheBlankBack: nothing of it is left, and whoever finishes the tenant begins anew.
func TestAClaimThatIsCutShortGivesTheBlankBack(t *testing.T) {
	t.Parallel()
	p := readyPlatform(t, 1)
	before := p.blanks(t)
	o := p.options
	o.Furnisher = brokenFurnisher{}
	if _, err := NewProvisioner(o).Create(t.Context(), wanted()); err == nil {
		t.Fatal("nothing broke")
	}
	if got := p.blanks(t); !slices.Equal(got, before) {
		t.Errorf("ready are %v, want %v", got, before)
	}
	check(t, p.provision.FinishAll(t.Context(), 0))
	if held := p.perDatabase(t, p.options.Placements); held[testDatabase] != 1 || len(p.blanks(t)) != 0 {
		t.Errorf("%v, and ready are %v", held, p.blanks(t))
	}
}

// brokenFurnisher ends the transaction that makes a tenant at its last moment.
type brokenFurnisher struct{ furnisher }

func (brokenFurnisher) Furnish(context.Context, Tx, string) error { return errors.New("cut short") }
