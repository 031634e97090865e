package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/migrations"
)

func migrateCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the directory and every tenant's schema to the newest version",
		Long: "Bring the directory, every database of tenants and every tenant's schema to the newest version, while they are used. It\n" +
			"may be interrupted and run again, and several may run at once: they share the work. A few tenants go first, and if one\n" +
			"of them fails the others are left as they are. Tenants that fail are listed by gatehouse migrate status, and tried\n" +
			"again by the next run. Needs GATEHOUSE_PROVISIONER_DATABASE_URL and, where there are several databases,\n" +
			"GATEHOUSE_DATABASES_FILE.",
		Args: cobra.NoArgs,
	}
	options := fleetFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := options()
		if err != nil {
			return err
		}
		databases, err := provisioned(p)
		if err != nil {
			return err
		}
		failed := prepareDatabases(c.Context(), p, databases)
		if failed[0] != nil {
			return failed[0]
		}
		o.Directory = string(databases[0].ProvisionerURL)
		for i, d := range databases {
			if o.Databases[d.Name] = string(d.ProvisionerURL); failed[i] != nil {
				o.Away = append(o.Away, d.Name)
			}
		}
		return errors.Join(append(failed, migrateTenants(c.Context(), p, o))...)
	}
	c.AddCommand(rolesCommand(p), migrateStatus(p))
	return c
}

// provisioned are the databases as migrations need them. What only serving needs may be missing.
func provisioned(p process) ([]database, error) {
	if p.getenv("GATEHOUSE_PROVISIONER_DATABASE_URL") == "" {
		return nil, errors.New("GATEHOUSE_PROVISIONER_DATABASE_URL is required")
	}
	databases, err := toldDatabases(p)
	for _, d := range databases {
		if _, bad := parseDatabase(d.ProvisionerURL); bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", d.setting("provisioner_url"), bad))
		}
	}
	return databases, err
}

// toldDatabases are all databases that the environment names, unjudged.
func toldDatabases(p process) ([]database, error) {
	c := config{Database: cmp.Or(p.getenv("GATEHOUSE_DATABASE"), "shared-1"), DatabaseURL: secret(p.getenv("GATEHOUSE_DATABASE_URL")),
		DatabaseDirectURL: secret(p.getenv("GATEHOUSE_DATABASE_DIRECT_URL")),
		ProvisionerURL:    secret(p.getenv("GATEHOUSE_PROVISIONER_DATABASE_URL"))}
	if file := p.getenv("GATEHOUSE_DATABASES_FILE"); file != "" {
		var err error
		if c.MoreDatabases, err = readDatabases(file); err != nil {
			return nil, fmt.Errorf("GATEHOUSE_DATABASES_FILE: %w", err)
		}
	}
	return c.databases(), nil
}

// prepareDatabases brings each database to where tenants can live in it, the first with the directory, a few at a time. One
// that is away does not keep the others waiting.
func prepareDatabases(ctx context.Context, p process, databases []database) (failed []error) {
	failed = make([]error, len(databases))
	var all errgroup.Group
	all.SetLimit(4)
	for i, d := range databases {
		all.Go(func() error {
			migrate := migrations.Database
			if i == 0 {
				migrate = migrations.Control
			}
			if err := migrate(ctx, string(d.ProvisionerURL)); err != nil {
				failed[i] = fmt.Errorf("database %s: %w", d.Name, afterRoles(oneLine(err), err))
			}
			return nil
		})
	}
	_ = all.Wait()
	for i, d := range databases {
		switch {
		case failed[i] != nil:
		case i == 0:
			fmt.Fprintf(p.stdout, "directory: version %d\n", migrations.LatestControl)
		default:
			fmt.Fprintln(p.stdout, "database "+d.Name+": ready")
		}
	}
	return failed
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
		Use:   "roles [DATABASE]",
		Short: "Print the SQL that makes the two login roles",
		Long: "Print the SQL that a database administrator runs once, as a superuser, before the first migration. It holds the\n" +
			"passwords of GATEHOUSE_DATABASE_URL and GATEHOUSE_PROVISIONER_DATABASE_URL:\n\n" +
			"  gatehouse migrate roles | psql -h HOST -v ON_ERROR_STOP=1 -U postgres DATABASE\n\n" +
			"Where GATEHOUSE_DATABASES_FILE names more databases, it prints the script of each, and before it the line with which\n" +
			"psql goes there; or that of the one named alone.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			databases, err := toldDatabases(p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				databases = slices.DeleteFunc(databases, func(d database) bool { return d.Name != args[0] })
				if len(databases) == 0 {
					return fmt.Errorf("there is no database %q in the settings", args[0])
				}
			}
			var script strings.Builder
			for _, d := range databases {
				roles, err := d.roles()
				if err != nil {
					return err
				}
				if len(databases) > 1 {
					connect, err := d.connect()
					if err != nil {
						return err
					}
					fmt.Fprintf(&script, "\n-- %s\n%s\n", d.Name, connect)
				}
				script.WriteString(migrations.RolesScript(roles))
			}
			_, err = fmt.Fprint(p.stdout, script.String())
			return err
		},
	}
}

// roles reads names and passwords out of the two URLs, so that they are said in one place.
func (d database) roles() (migrations.Roles, error) {
	r, err := url.Parse(string(d.direct()))
	if err != nil || r.User == nil {
		return migrations.Roles{}, fmt.Errorf("%s is required, as a URL with user and password", d.around())
	}
	q, err := url.Parse(string(d.ProvisionerURL))
	if err != nil || q.User == nil {
		return migrations.Roles{}, fmt.Errorf("%s is required, as a URL with user and password", d.setting("provisioner_url"))
	}
	runtimePassword, ok1 := r.User.Password()
	provisionerPassword, ok2 := q.User.Password()
	if !ok1 || !ok2 || r.User.Username() == q.User.Username() || len(r.Path) < 2 || r.Path != q.Path {
		return migrations.Roles{}, fmt.Errorf("%s and %s must name the same database, two different users and their passwords", d.around(), d.setting("provisioner_url"))
	}
	return migrations.Roles{Database: r.Path[1:], Runtime: r.User.Username(), RuntimePassword: runtimePassword,
		Provisioner: q.User.Username(), ProvisionerPassword: provisionerPassword}, nil
}

// connect is the line with which psql goes on in this database, as the user it is.
func (d database) connect() (string, error) {
	c, err := parseDatabase(d.ProvisionerURL)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.setting("provisioner_url"), err)
	}
	e := url.PathEscape
	return fmt.Sprintf(`\connect -reuse-previous=on "postgresql:///%s?host=%s&port=%d"`, e(c.Database), e(c.Host), c.Port), nil
}
