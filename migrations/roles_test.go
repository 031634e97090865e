package migrations

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestRolesAreMadeInManyPlacesAtOnce(t *testing.T) {
	t.Parallel()
	super := testenv.Database(t)
	suffix := "_" + strings.ToLower(rand.Text()[:10])
	r := Roles{Database: databaseOf(t, super), Runtime: "runtime" + suffix, RuntimePassword: rand.Text(),
		Provisioner: "provisioner" + suffix, ProvisionerPassword: rand.Text()}
	second := testenv.Database(t) // two databases of one server may share their roles
	other := r
	other.Database = databaseOf(t, second)
	var all errgroup.Group
	for i := range 16 {
		all.Go(func() error {
			if i%2 == 0 {
				return ApplyRoles(t.Context(), super, r)
			}
			return ApplyRoles(t.Context(), second, other)
		})
	}
	check(t, all.Wait())
	for _, to := range []string{super, second} {
		check(t, Control(t.Context(), as(t, to, r.Provisioner, r.ProvisionerPassword)))
		_ = connect(t, as(t, to, r.Runtime, r.RuntimePassword))
	}
}

func TestRolesRunAgainAreTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	conn := connect(t, s.super)
	before := rolesOf(t, conn, s.roles)
	// What an administrator may have loosened by hand is tightened again.
	_, err := conn.Exec(t.Context(), "alter role "+s.roles.Runtime+" superuser inherit bypassrls; grant all on schema public to public")
	check(t, err)
	if rolesOf(t, conn, s.roles) == before {
		t.Fatal("the comparison sees no difference")
	}
	check(t, ApplyRoles(t.Context(), s.super, s.roles))
	if after := rolesOf(t, conn, s.roles); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}

// rolesOf is what Postgres knows of both roles and of who may use the database and public.
func rolesOf(t *testing.T, conn *pgx.Conn, r Roles) (text string) {
	t.Helper()
	check(t, conn.QueryRow(t.Context(), `select concat_ws(' | ',
		(select string_agg(concat_ws(' ', r.rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, s.setconfig), ', ' order by r.rolname)
			from pg_roles r left join pg_db_role_setting s on s.setrole = r.oid where r.rolname in ($1, $2, $4)),
		(select string_agg(m.roleid::regrole::text, ', ' order by m.roleid::regrole::text) from pg_auth_members m where m.member::regrole::text in ($1, $2)),
		(select array(select unnest(datacl)::text order by 1) from pg_database where datname = $3),
		(select array(select unnest(nspacl)::text order by 1) from pg_namespace where nspname = 'public'))`,
		r.Runtime, r.Provisioner, r.Database, DirectoryRole).Scan(&text))
	return text
}

func TestTheServingRoleOwnsNothingAndHasItsLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check(t, Control(t.Context(), s.provisioner))
	conn := connect(t, s.runtime)
	for setting, want := range map[string]string{"search_path": TemplateSchema, "statement_timeout": "2s", "lock_timeout": "1s",
		"idle_in_transaction_session_timeout": "5s"} {
		var got string
		check(t, conn.QueryRow(t.Context(), "select current_setting($1)", setting).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	var owned int
	check(t, conn.QueryRow(t.Context(), `select (select count(*) from pg_class where relowner = current_user::regrole) +
		(select count(*) from pg_namespace where nspowner = current_user::regrole)`).Scan(&owned))
	if owned != 0 {
		t.Errorf("it owns %d relations and schemas", owned)
	}
}

// TestStrangeNamesAreSafe: names and passwords come from an operator's configuration, and the script is one text.
func TestStrangeNamesAreSafe(t *testing.T) {
	t.Parallel()
	server := testenv.Postgres(t)
	for _, strange := range []string{`o'brien`, `say "hi"`, `$$ cost`, `$gatehouse$`, `{runtime}`, `a;drop role postgres`, `back\slash`, `Größe`, `%s %I`} {
		t.Run(strange, func(t *testing.T) {
			t.Parallel()
			unique := strings.ToLower(rand.Text()[:8])
			r := Roles{Database: strange + " db " + unique, Runtime: strange + " rt " + unique, Provisioner: strange + " pr " + unique,
				RuntimePassword: strange + " one", ProvisionerPassword: strange + " two"}
			conn := connect(t, server)
			database := pgx.Identifier{r.Database}.Sanitize()
			_, err := conn.Exec(t.Context(), "create database "+database+" template template0")
			check(t, err)
			defer func() {
				_, err := conn.Exec(t.Context(), "drop database "+database+" with (force)")
				check(t, err)
				for _, role := range []string{r.Runtime, r.Provisioner} {
					_, err := conn.Exec(t.Context(), "drop role "+pgx.Identifier{role}.Sanitize())
					check(t, err)
				}
			}()
			config, err := pgx.ParseConfig(server)
			check(t, err)
			config.Database = r.Database
			super, err := pgx.ConnectConfig(t.Context(), config)
			check(t, err)
			defer func() { _ = super.Close(t.Context()) }()
			for range 2 {
				_, err = super.Exec(t.Context(), RolesScript(r))
				check(t, err)
			}
			for role, password := range map[string]string{r.Runtime: r.RuntimePassword, r.Provisioner: r.ProvisionerPassword} {
				config.User, config.Password = role, password
				c, err := pgx.ConnectConfig(t.Context(), config)
				if err != nil {
					t.Errorf("%s cannot log in: %v", role, err)
					continue
				}
				_ = c.Close(t.Context())
			}
		})
	}
}
