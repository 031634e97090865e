package tenancy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

// grip is a tenant held in both databases of a move. Its lock there is the one under which its schema is made and migrated.
type grip struct{ source, target *pgx.Conn }

// grasp takes hold of a tenant, in one order of databases: who ends a move and who makes the one back would wait for each other.
// Errors: ErrMoving where somebody else holds it for longer than patience.
func (p *Provisioner) grasp(ctx context.Context, t id.Tenant, source, target string, patience time.Duration) (g grip, err error) {
	type side struct {
		name string
		conn **pgx.Conn
	}
	sides := []side{{source, &g.source}, {target, &g.target}}
	slices.SortFunc(sides, func(a, b side) int { return strings.Compare(a.name, b.name) })
	for _, side := range sides {
		place, ok := p.Placements[side.name]
		if !ok {
			err = fmt.Errorf("database %q is not configured here", side.name)
		} else {
			*side.conn, err = place.hold(ctx, namespace(t), patience)
		}
		if err != nil {
			g.release()
			return grip{}, fmt.Errorf("%s: %w", side.name, err)
		}
	}
	return g, nil
}

// release ends the connections, and the locks with them.
func (g grip) release() {
	for _, c := range []*pgx.Conn{g.source, g.target} {
		if c != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = c.Close(ctx)
			cancel()
		}
	}
}

// hold opens a connection that has the lock of a name for as long as it lives. A server that no longer hears of us ends it by
// itself: else a tenant whose mover's machine is gone would stay locked until somebody notices.
func (db ProvisioningDB) hold(ctx context.Context, name string, patience time.Duration) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`set tcp_keepalives_idle to 5; set tcp_keepalives_interval to 2; set tcp_keepalives_count to 3;
		set tcp_user_timeout to 15000; set client_connection_check_interval to 2000; set idle_session_timeout to '2min';
		set search_path to ''; set lock_timeout to %d; select pg_advisory_lock(hashtextextended('%s', 0)); set lock_timeout to 5000`,
		max(1, patience.Milliseconds()), name))
	if err == nil {
		return conn, nil
	}
	_ = conn.Close(context.WithoutCancel(ctx))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == pgerrcode.LockNotAvailable {
		err = ErrMoving
	}
	return nil, err
}

// vacant refuses a target that has a schema of the tenant's name: it is not the tenant, but it may be of use to somebody.
func (g grip) vacant(ctx context.Context, name string) error {
	var there bool
	err := g.target.QueryRow(ctx, isSchema, name).Scan(&there)
	if err == nil && there {
		err = fmt.Errorf("there is a schema %s, though the tenant does not live there: have a look at it and drop it", name)
	}
	return err
}

// buildFor makes the tenant's role and schema in the target, at the version that it is at.
func buildFor(ctx context.Context, m move, g grip, runtimeRole string) error {
	name := namespace(m.tenant)
	version, err := schemaVersion(ctx, provisionTx{g.source}, name)
	if err != nil {
		return err
	}
	if version != migrations.LatestTenant {
		return fmt.Errorf("its schema is at version %d, and this program makes version %d: run gatehouse migrate", version, migrations.LatestTenant)
	}
	if err := shareRole(ctx, g, name); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, g.target, func(tx pgx.Tx) error {
		_, err := makeSchema(ctx, provisionTx{tx.Conn()}, name, runtimeRole)
		return err
	})
}

// dropSchema drops a schema of a tenant, and its role as far as it is of that schema: on a server where the tenant lives in another
// database the role stays.
func dropSchema(ctx context.Context, conn *pgx.Conn, name, runtimeRole string) error {
	runtime := pgx.Identifier{runtimeRole}.Sanitize()
	_, err := conn.Exec(ctx, `begin; drop schema if exists `+name+` cascade;
		do $$ begin
			if exists (select from pg_auth_members where roleid = to_regrole('`+name+`') and member = to_regrole('`+strings.ReplaceAll(runtime, "'", "''")+`')) then
				revoke `+name+` from `+runtime+`;
			end if;
			begin
				drop role if exists `+name+`;
			exception when dependent_objects_still_exist or insufficient_privilege then null; -- the latter: shareRole was not come to
			end;
		end $$;
		commit`)
	return err
}

// moveJobs takes what is to be sent from the one database's jobs to the other's. A job names a mail, which is found wherever the
// tenant lives, so one that is being worked on is left alone. In between a job is in both places, and the second worker
// finds the mail gone.
func moveJobs(ctx context.Context, g grip, t id.Tenant) error {
	const jobs = migrations.JobsSchema + ".river_job"
	rows, err := g.source.Query(ctx, `select id, to_jsonb(j) from `+jobs+` j
		where args @> jsonb_build_object('tenant', $1::text) and state in ('available', 'retryable', 'scheduled')`, t.String())
	if err != nil {
		return err
	}
	var ids []int64
	var waiting []string
	var one int64
	var job string
	if _, err := pgx.ForEachRow(rows, []any{&one, &job}, func() error {
		ids, waiting = append(ids, one), append(waiting, job)
		return nil
	}); err != nil || len(ids) == 0 {
		return err
	}
	_, err = g.target.Exec(ctx, `insert into `+jobs+` (kind, queue, args, priority, attempt, max_attempts, state, created_at, scheduled_at)
		select j->>'kind', j->>'queue', j->'args', (j->>'priority')::smallint, (j->>'attempt')::smallint, (j->>'max_attempts')::smallint,
			(j->>'state')::`+migrations.JobsSchema+`.river_job_state, (j->>'created_at')::timestamptz, (j->>'scheduled_at')::timestamptz
		from unnest($1::jsonb[]) j where not exists (select from `+jobs+` o where o.args @> (j->'args') and o.kind = j->>'kind')`, waiting)
	if err != nil {
		return err
	}
	_, err = g.source.Exec(ctx, `delete from `+jobs+` where id = any($1) and state <> 'running'`, ids)
	return err
}

const moveColumns = `tenant_id, id, source, target, state, coalesce(extract(epoch from now() - moved_at), 0)::float8`

func scanMove(row pgx.CollectableRow) (m move, err error) {
	var age float64
	var token [16]byte
	err = row.Scan(&m.tenant, &token, &m.source, &m.target, &m.state, &age)
	m.id, m.age = token, time.Duration(age*float64(time.Second))
	return m, err
}

// readMove is the zero move where there is none.
func (p *Provisioner) readMove(ctx context.Context, t id.Tenant) (m move, err error) {
	all, err := p.queryMoves(ctx, `select `+moveColumns+` from tenant_moves where tenant_id = $1`, t)
	if len(all) == 1 {
		m = all[0]
	}
	return m, err
}

// readMoves are the oldest of each pair of databases, by turns: a hundred that wait for one that is away keep nobody else waiting.
func (p *Provisioner) readMoves(ctx context.Context) ([]move, error) {
	return p.queryMoves(ctx, `select `+moveColumns+` from (select *, row_number() over (partition by source, target order by begun_at) as turn
		from tenant_moves) m order by turn, begun_at limit 100`)
}

// condemnMove has a move end before the switch, unless that is past, and says how it stands. The race is that of a mover who is not
// dead: the row is one's to change, and the other finds it changed.
func (p *Provisioner) condemnMove(ctx context.Context, m move) (now move, err error) {
	_, err = p.queryMoves(ctx, `update tenant_moves set state = 'aborting' where tenant_id = $1 and id = $2 and state = 'copying' returning `+moveColumns, m.tenant, [16]byte(m.id))
	if err != nil {
		return move{}, err
	}
	return p.readMove(ctx, m.tenant)
}

func (p *Provisioner) queryMoves(ctx context.Context, sql string, args ...any) (all []move, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err == nil {
			all, err = pgx.CollectRows(rows, scanMove)
		}
		return err
	})
	return all, err
}

func (p *Provisioner) forgetMove(ctx context.Context, m move) error {
	_, err := p.queryMoves(ctx, `delete from tenant_moves where tenant_id = $1 and id = $2 returning `+moveColumns, m.tenant, [16]byte(m.id))
	return err
}

// insertMove is for whoever holds the tenant. ErrMoving is a move that began, or ended, since it was asked where the tenant lives.
func insertMove(ctx context.Context, tx provisionTx, m move) error {
	tag, err := tx.Exec(ctx, `insert into tenant_moves (tenant_id, id, source, target, state)
		select id, $2, database, $4, 'copying' from tenants where id = $1 and database = $3`, m.tenant, [16]byte(m.id), m.source, m.target)
	if Violates(err, "tenant_moves_pkey") || err == nil && tag.RowsAffected() == 0 {
		return ErrMoving
	}
	return err
}

// switchMove changes where the tenant lives, which its trigger announces.
func switchMove(ctx context.Context, tx provisionTx, m move, now time.Time) error {
	tag, err := tx.Exec(ctx, `update tenant_moves set state = 'moved', moved_at = clock_timestamp() where tenant_id = $1 and id = $2 and state = 'copying'`,
		m.tenant, [16]byte(m.id))
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return ErrMoveLost
	}
	tag, err = tx.Exec(ctx, `update tenants set database = $3, updated_at = $4 where id = $1 and database = $2`, m.tenant, m.source, m.target, now)
	if err == nil && tag.RowsAffected() != 1 {
		err = ErrMoveLost
	}
	return err
}

// databaseOf is where a tenant lives that is there to be moved.
func (p *Provisioner) databaseOf(ctx context.Context, t id.Tenant) (database string, err error) {
	err = p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		err := tx.QueryRow(ctx, `select database from tenants where id = $1 and state in ('active', 'suspended')`, t).Scan(&database)
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrUnknown
		}
		return err
	})
	return database, err
}
