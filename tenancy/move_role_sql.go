package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// shareRole gives the target's provisioning role the say over the tenant's role, where both databases are of one server, which
// knows the role already, and each has a provisioning role of its own. From Postgres 16 on the right to create roles is no
// longer one over the roles of others: who made the role hands it on.
//
// It stays: a role cannot give this back to whom it has it from, and a tenant that returns finds it there.
func shareRole(ctx context.Context, g grip, name string) error {
	var lacks bool
	var user string
	err := g.target.QueryRow(ctx, `select current_user::text, current_setting('server_version_num')::int >= 160000
			and to_regrole($1) is not null and not pg_has_role(current_user, to_regrole($1), 'member with admin option')`, name).Scan(&user, &lacks)
	if err != nil || !lacks {
		return err
	}
	_, err = g.source.Exec(ctx, `grant `+name+` to `+pgx.Identifier{user}.Sanitize()+` with admin true, inherit false, set false`)
	if err != nil {
		return fmt.Errorf("the role %s is on the server that the tenant shall live on, and not %s's to give rights of: %w", name, user, err)
	}
	return nil
}
