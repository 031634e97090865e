package relocation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// fence is the function of a schema that refuses, and the name of the triggers that call it.
const fence = "relocation_fence"

// Fence has every table of a schema refuse to be written from now on, with the error of a server that only reads. It returns
// when whatever was written before is committed. It may be called again. Errors: ErrBusy.
func Fence(ctx context.Context, conn *pgx.Conn, schema string) error {
	all, err := tablesOf(ctx, conn, schema)
	if err != nil {
		return err
	}
	var names []string
	var script strings.Builder
	fmt.Fprintf(&script, `create or replace function %s.%s() returns trigger language plpgsql as $$ begin
		raise exception 'this tenant is being moved to another database' using errcode = 'read_only_sql_transaction';
	end $$;
`, schema, fence)
	for _, t := range all {
		names = append(names, t.in(schema))
		fmt.Fprintf(&script, "create or replace trigger %s before insert or update or delete or truncate on %s for each statement execute function %s.%s();\n",
			fence, t.in(schema), schema, fence)
	}
	// This lock is the one that a new trigger takes: readers pass, and it waits for writers to end their transactions.
	return patiently(ctx, conn, "lock table "+strings.Join(names, ", ")+" in share row exclusive mode;\n"+script.String())
}

// Close keeps the schema's role, which has its name, from reading, too: whoever looks for the rows here once they are written
// somewhere else must not find what they were. Of a transaction that is under way the next statement is refused.
func Close(ctx context.Context, conn *pgx.Conn, schema string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("revoke usage on schema %[1]s from %[1]s", schema))
	return err
}

// Lift takes the fence away, if there is one, and opens what is closed.
func Lift(ctx context.Context, conn *pgx.Conn, schema string) error {
	var there bool
	err := conn.QueryRow(ctx, `select to_regproc($1) is not null`, schema+"."+fence).Scan(&there)
	if err != nil || !there {
		return err
	}
	return patiently(ctx, conn, fmt.Sprintf("drop function %[1]s.%[2]s() cascade; grant usage on schema %[1]s to %[1]s", schema, fence))
}

const (
	tries     = 20
	oneWait   = 500 * time.Millisecond // less than Postgres takes to look for deadlocks, so it is never a request that gives way
	pauseOver = 200 * time.Millisecond
)

// patiently runs statements that want locks, as one transaction. Whoever comes while one of them waits for a lock waits behind
// it, so it gives up soon, lets them pass, and is tried again.
func patiently(ctx context.Context, conn *pgx.Conn, script string) error {
	script = fmt.Sprintf("begin; set local lock_timeout to %d;\n%s;\ncommit", oneWait.Milliseconds(), script)
	for try := 1; ; try++ {
		_, err := conn.Exec(ctx, script)
		if err == nil {
			return nil
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) {
			return err
		}
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			return err
		}
		if refused.Code != pgerrcode.LockNotAvailable && refused.Code != pgerrcode.DeadlockDetected {
			return err
		}
		if try == tries {
			return ErrBusy
		}
		t := time.NewTimer(rand.N(pauseOver)) //nolint:gosec // it only keeps two from meeting again
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}
