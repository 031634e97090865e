package tenancy

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// TestRolesThatASuperuserRestoredAreTheProvisionersAgain: pg_upgrade from Postgres 15 and a dump that is read in leave the roles of
// tenants to the superuser, and from 16 on nobody else may then drop them or take memberships away.
func TestRolesThatASuperuserRestoredAreTheProvisionersAgain(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	mover, leaver := p.create(t, here), p.create(t, here)
	super := p.at(t, here)
	roles := rolesFrom(t, p.SuperuserURL, p.RuntimeURL, p.ProvisionerURL)
	for _, tenant := range []Tenant{mover, leaver} {
		name := namespace(tenant.ID)
		_, err := super.Exec(t.Context(), `revoke `+name+` from `+roles.Provisioner+` cascade; revoke `+name+` from `+roles.Runtime+`; grant `+name+` to `+roles.Runtime)
		check(t, err)
	}
	check(t, migrations.ApplyRoles(t.Context(), p.SuperuserURL, roles))
	check(t, migrations.ApplyRoles(t.Context(), p.SuperuserURL, roles))

	_, err := p.provision.Move(t.Context(), byNobody, mover.ID, there, unhurried)
	check(t, err)
	var member bool
	check(t, super.QueryRow(t.Context(), `select pg_has_role($1, $2, 'member')`, roles.Runtime, namespace(mover.ID)).Scan(&member))
	if member {
		t.Error("the serving role of the database that it left is still a member of its role")
	}
	check(t, p.provision.drop(t.Context(), leaver.ID, here))
	var left int
	check(t, super.QueryRow(t.Context(), `select count(*) from pg_roles where rolname = $1`, namespace(leaver.ID)).Scan(&left))
	if left != 0 {
		t.Error("its role is left")
	}
}

// TestASchemaCalledAfterASuperuserGivesNothing: the script of the roles is run by a superuser, over what the provisioner made.
func TestASchemaCalledAfterASuperuserGivesNothing(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	super := p.at(t, here)
	roles := rolesFrom(t, p.SuperuserURL, p.RuntimeURL, p.ProvisionerURL)
	strong := namespace(id.NewTenant())
	_, err := super.Exec(t.Context(), `create role `+strong+` superuser; create schema `+strong+` authorization `+roles.Provisioner)
	check(t, err)
	defer func() {
		_, err := super.Exec(context.WithoutCancel(t.Context()), `drop schema `+strong+`; drop role `+strong)
		check(t, err)
	}()
	check(t, migrations.ApplyRoles(t.Context(), p.SuperuserURL, roles))
	var member bool
	check(t, super.QueryRow(t.Context(), `select exists (select from pg_auth_members where roleid = to_regrole($1))`, strong).Scan(&member))
	if member {
		t.Error("the provisioner was given a superuser's role")
	}
}

func (p places) create(t testing.TB, database string) Tenant {
	t.Helper()
	c, err := p.provision.Create(t.Context(), Tenant{Slug: newSlug(), Name: "Acme", Locale: "en", Database: database})
	check(t, err)
	return c.Tenant
}

// rolesFrom are the roles that an installation was made with.
func rolesFrom(t testing.TB, super, runtime, provisioner string) (r migrations.Roles) {
	t.Helper()
	config, err := pgx.ParseConfig(super)
	check(t, err)
	r.Database = config.Database
	for from, into := range map[string][2]*string{runtime: {&r.Runtime, &r.RuntimePassword}, provisioner: {&r.Provisioner, &r.ProvisionerPassword}} {
		u, err := url.Parse(from)
		check(t, err)
		*into[0] = u.User.Username()
		*into[1], _ = u.User.Password()
	}
	return r
}
