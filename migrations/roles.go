package migrations

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DirectoryRole is the role that serving connections take on to read the directory. It cannot log in.
const DirectoryRole = "gatehouse_directory"

// Roles names the two login roles of an installation. They must differ.
type Roles struct {
	Database            string
	Runtime             string // serves requests; owns nothing and has no right on any table
	RuntimePassword     string
	Provisioner         string // owns the schemas, creates roles and schemas of tenants, migrates
	ProvisionerPassword string
}

// RolesScript is what a database administrator runs once per database before the first `gatehouse migrate`, as a
// superuser. It may be run again.
//
// The runtime role is NOINHERIT: it is a member of every tenant's role but has that role's rights only in a
// transaction that says SET LOCAL ROLE. Its limits are settings of the role and not of the connection, because a
// connection pooler between us and Postgres drops start-up parameters.
func RolesScript(r Roles) string {
	id := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	// The body of a DO is a literal like any other, so that no name can end it.
	body := strings.NewReplacer("{directory_text}", literal(DirectoryRole), "{jobs_text}", literal(JobsRole),
		"{runtime_text}", literal(r.Runtime), "{provisioner_text}", literal(r.Provisioner)).Replace(makeRoles)
	own := strings.NewReplacer("{runtime_text}", literal(r.Runtime), "{provisioner_text}", literal(r.Provisioner)).Replace(ownTenants)
	replace := strings.NewReplacer(
		"{make_roles}", literal(body), "{own_tenants}", literal(own),
		"{database}", id(r.Database),
		"{runtime}", id(r.Runtime), "{runtime_password}", literal(r.RuntimePassword),
		"{provisioner}", id(r.Provisioner), "{provisioner_password}", literal(r.ProvisionerPassword),
		"{directory}", id(DirectoryRole),
		"{jobs}", id(JobsRole),
		"{template}", id(TemplateSchema),
	)
	return replace.Replace(rolesScript)
}

const makeRoles = `
declare name text; begin
    foreach name in array array[{directory_text}, {jobs_text}, {runtime_text}, {provisioner_text}] loop
        begin
            execute format('create role %I', name);
        exception when duplicate_object or unique_violation then null; -- there already, or made by another run just now
        end;
    end loop;
end`

// Two runs that change one role or database at once fail with "tuple concurrently updated". A comment on a role locks
// it for every database of the server until the transaction ends, which an advisory lock, being the database's, does
// not; so it stands before everything that is changed.
const rolesScript = `
do {make_roles};
comment on role {directory} is 'reads the directory of gatehouse; serving connections take it on';
comment on role {jobs} is 'works the jobs of gatehouse; the connections of workers take it on';

alter role {runtime} login noinherit nosuperuser nocreatedb nocreaterole nobypassrls password {runtime_password};
alter role {provisioner} login nosuperuser nocreatedb createrole nobypassrls password {provisioner_password};
grant {directory}, {jobs} to {runtime};

revoke all on database {database} from public;
grant connect on database {database} to {runtime}, {provisioner};
grant create on database {database} to {provisioner};
revoke all on schema public from public;

alter role {runtime} in database {database} set search_path = {template};
alter role {runtime} in database {database} set statement_timeout = '2s';
alter role {runtime} in database {database} set lock_timeout = '1s';
alter role {runtime} in database {database} set idle_in_transaction_session_timeout = '5s';

do {own_tenants};
`

func literal(s string) string {
	return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", "''"))
}

// ApplyRoles runs RolesScript as a superuser.
func ApplyRoles(ctx context.Context, superuserURL string, r Roles) error {
	return exec(ctx, superuserURL, RolesScript(r))
}
