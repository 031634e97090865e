package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func migrateCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the directory and every tenant's schema to the newest version",
		Long: "Bring the directory and every tenant's schema to the newest version. It may be interrupted and run again, and\n" +
			"several may run at once. Needs GATEHOUSE_PROVISIONER_DATABASE_URL.",
		Args: cobra.NoArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		to := p.getenv("GATEHOUSE_PROVISIONER_DATABASE_URL")
		if to == "" {
			return errors.New("GATEHOUSE_PROVISIONER_DATABASE_URL is required")
		}
		if _, err := parseDatabase(secret(to)); err != nil {
			return fmt.Errorf("GATEHOUSE_PROVISIONER_DATABASE_URL: %w", err)
		}
		if err := migrations.Control(c.Context(), to); err != nil {
			return afterRoles(oneLine(err), err)
		}
		fmt.Fprintf(p.stdout, "directory: version %d\n", migrations.LatestControl)
		n, err := tenancy.MigrateTenants(c.Context(), to)
		fmt.Fprintf(p.stdout, "tenants: %d brought to version %d\n", n, migrations.LatestTenant)
		return oneLine(err)
	}
	c.AddCommand(rolesCommand(p))
	return c
}

// afterRoles adds what to do where the provisioning role is not there or not yet what it should be: no such login, no such
// database, no right to make a schema, a role that came later.
func afterRoles(said, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && slices.Contains([]string{"28P01", "28000", "3D000", "42501", "42704"}, refused.Code) {
		return fmt.Errorf("%w; was the script of gatehouse migrate roles run on this database?", said)
	}
	return said
}

func rolesCommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "roles",
		Short: "Print the SQL that makes the two login roles",
		Long: "Print the SQL that a database administrator runs once, as a superuser, before the first migration. It holds the\n" +
			"passwords of GATEHOUSE_DATABASE_URL and GATEHOUSE_PROVISIONER_DATABASE_URL:\n\n" +
			"  gatehouse migrate roles | psql -h HOST -v ON_ERROR_STOP=1 -U postgres DATABASE",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			roles, err := rolesOf(p.getenv("GATEHOUSE_DATABASE_URL"), p.getenv("GATEHOUSE_PROVISIONER_DATABASE_URL"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.stdout, migrations.RolesScript(roles))
			return err
		},
	}
}

// rolesOf reads names and passwords out of the two URLs, so that they are said in one place.
func rolesOf(runtime, provisioner string) (migrations.Roles, error) {
	r, err := url.Parse(runtime)
	if err != nil || r.User == nil {
		return migrations.Roles{}, errors.New("GATEHOUSE_DATABASE_URL is required, as a URL with user and password")
	}
	q, err := url.Parse(provisioner)
	if err != nil || q.User == nil {
		return migrations.Roles{}, errors.New("GATEHOUSE_PROVISIONER_DATABASE_URL is required, as a URL with user and password")
	}
	runtimePassword, ok1 := r.User.Password()
	provisionerPassword, ok2 := q.User.Password()
	if !ok1 || !ok2 || r.User.Username() == q.User.Username() || len(r.Path) < 2 || r.Path != q.Path {
		return migrations.Roles{}, errors.New("GATEHOUSE_DATABASE_URL and GATEHOUSE_PROVISIONER_DATABASE_URL must name the same database, two different users and their passwords")
	}
	return migrations.Roles{Database: r.Path[1:], Runtime: r.User.Username(), RuntimePassword: runtimePassword,
		Provisioner: q.User.Username(), ProvisionerPassword: provisionerPassword}, nil
}
