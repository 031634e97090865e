package tenancy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/relocation"
)

// reserve writes the record of a tenant that comes in, or finds the one that an interrupted run of the same import has written. Nobody
// else takes it up: it is younger than whatever is looked for.
func (a *arrival) reserve(ctx context.Context) error {
	p := a.Provisioner
	given, err := p.freeDomain(ctx, a.tenant.Slug)
	if err != nil {
		return err
	}
	away := p.away(ctx)
	return p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		if there, err := a.reserved(ctx, tx); err != nil || there {
			return err
		}
		if a.tenant.Database, err = p.place(ctx, tx, a.tenant, away); err != nil {
			return err
		}
		a.tenant.PrimaryDomain = given
		t := a.tenant
		_, err := tx.Exec(ctx, `insert into tenants (id, slug, name, locale, region, database, state, is_master, signing_algorithm,
				owner_email, owner_name, owner_user_id, schema_version, blueprint, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, 'provisioning', false, $7, nullif($8, ''), nullif($9, ''), $10, 0, $11, 'infinity', $12)`,
			t.ID, t.Slug, t.Name, t.Locale, t.Region, t.Database, t.SigningAlgorithm, t.OwnerEmail, t.OwnerName, t.OwnerID, a.mark(), t.UpdatedAt)
		switch {
		case Violates(err, "tenants_slug_key"):
			return slugTaken().With(err)
		case Violates(err, "tenants_pkey"): // another run was faster
			return problem.Unavailable(time.Second, err)
		case err != nil || given == "":
			return err
		}
		d := newDomain(t.ID, given, []Use{UseHost}, t.UpdatedAt)
		d.VerifiedAt, d.Primary, d.given = &t.UpdatedAt, true, true
		if err := insertDomain(ctx, tx, d); Violates(err, "domains_one_holder") {
			return problem.Unavailable(time.Second, err)
		} else if err != nil {
			return err
		}
		return nil
	})
}

// reserved finds what an earlier run has left. Errors: ErrHere.
func (a *arrival) reserved(ctx context.Context, tx provisionTx) (there bool, err error) {
	var state, mark string
	if err := notDeleted(ctx, tx, a.tenant.ID); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, `select t.state, coalesce(t.blueprint, ''), t.database,
			coalesce((select d.domain from domains d where d.tenant_id = t.id and d.is_primary), '')
		from tenants t where t.id = $1 for update`, a.tenant.ID).Scan(&state, &mark, &a.tenant.Database, &a.tenant.PrimaryDomain)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case state != "provisioning":
		return false, fmt.Errorf("%w: it lives here already", ErrHere)
	case strings.HasPrefix(mark, discarding):
		return false, ErrDiscarded
	case mark != a.mark():
		return false, fmt.Errorf("%w: another import of it was begun and not ended; go on with that one, or discard it", ErrHere)
	}
	return true, nil
}

// fill makes the schema with all that is in the bundle, in one transaction. A schema that is there was filled by this bundle, or by
// something that must be looked at.
func (a *arrival) fill(ctx context.Context) error {
	place, err := a.Provisioner.placement(a.tenant.Database)
	if err != nil {
		return err
	}
	name := namespace(a.tenant.ID)
	return place.inLongTx(ctx, func(ctx context.Context, c provisionTx) error {
		made, err := makeSchema(ctx, c, name, place.runtimeRole)
		if err != nil {
			return err
		}
		if !made {
			var says string
			err := c.QueryRow(ctx, `select coalesce(obj_description(to_regnamespace($1), 'pg_namespace'), '')`, name).Scan(&says)
			if err == nil && says != a.mark() {
				err = fmt.Errorf("a schema %s is in the database %s that this bundle has not filled", name, a.tenant.Database)
			}
			return err
		}
		// The race: somebody takes the import back, and drops the schema before it is made. Whoever drops it waits for the lock that is
		// held here, so what is found still wanted now is dropped when it is filled.
		if err := a.wanted(ctx); err != nil {
			return err
		}
		if err := a.load(ctx, c, name); err != nil {
			return err
		}
		_, err = c.Exec(ctx, `comment on schema `+name+` is '`+a.mark()+`'`)
		return err
	})
}

func (a *arrival) load(ctx context.Context, c provisionTx, name string) error {
	tables, err := relocation.Tables(ctx, c.Conn, name)
	if err != nil {
		return err
	}
	if err := relocation.Clear(ctx, c.Conn, name, tables); err != nil {
		return err
	}
	known := map[string]relocation.Table{}
	for _, t := range tables {
		known[t.Name] = t
	}
	if err := a.again(func(h bundle.Header, rows io.Reader) error {
		t, ok := known[h.Name]
		if !ok || !slices.Equal(t.Columns, h.Columns) {
			if a.isOpened(h.Name) {
				return nil
			}
			return fmt.Errorf("%w: there is no table %q of such columns", bundle.ErrMalformed, h.Name)
		}
		n, err := a.loadTable(ctx, c, name, t, rows)
		a.report.Rows += n
		return err
	}); err != nil {
		return err
	}
	if err := relocation.Wake(ctx, c.Conn, name, tables); err != nil {
		return err
	}
	tx := Tx{&conn{Conn: c.Conn}, a.tenant}
	if err := a.putKeys(ctx, tx); err != nil || a.same {
		return err
	}
	a.report.Lost = map[string]int64{}
	for _, of := range a.Belongings {
		lost, err := of.Estrange(ctx, tx)
		if err != nil {
			return err
		}
		maps.Copy(a.report.Lost, lost)
	}
	return nil
}

func (a *arrival) isOpened(part string) bool { _, ok := a.sealed[part]; return ok }

// loadTable adds the rows of a table, with what was sealed elsewhere sealed by the keys of here.
func (a *arrival) loadTable(ctx context.Context, c provisionTx, name string, t relocation.Table, rows io.Reader) (int64, error) {
	for _, of := range a.Belongings {
		if col := of.Column(); col.Table == t.Name {
			r, w := io.Pipe()
			var rewriting sync.WaitGroup
			rewriting.Go(func() { _ = w.CloseWithError(a.resealed(col, t, rows, w)) })
			n, err := relocation.Receive(ctx, c.Conn, name, t, r)
			_ = r.CloseWithError(io.ErrClosedPipe)
			rewriting.Wait() // it reads from the bundle, which whoever called us goes on with
			return n, err
		}
	}
	return relocation.Receive(ctx, c.Conn, name, t, rows)
}

func (a *arrival) resealed(col SealedColumn, t relocation.Table, rows io.Reader, to io.Writer) error {
	sealed := a.sealed[col.part()]
	key, value := slices.Index(t.Columns, "id"), slices.Index(t.Columns, col.Column)
	return bundle.Rewrite(to, rows, len(t.Columns), 1000, func(rows [][]string) error {
		for _, row := range rows {
			if fresh, ok := sealed[row[key]]; ok {
				row[value] = bundle.Field(fresh)
			}
		}
		return nil
	})
}

// putKeys has the keys that the tenant comes from verify what they have signed until that has expired, and the one that was made
// here sign. Those of another custody make room for its versions: they are never asked for again.
func (a *arrival) putKeys(ctx context.Context, tx Tx) error {
	if !a.same {
		const aside = 1_000_000_000 // no version is in its place while others are moved
		for _, move := range []struct {
			sql string
			by  int
		}{{`update signing_keys set version = version + $1`, aside}, {`update signing_keys set version = version - $1`, aside + a.from.Newest + 1}} {
			if _, err := tx.Exec(ctx, move.sql, move.by); err != nil {
				return err
			}
		}
	}
	now := microseconds(a.Provisioner.Now())
	if _, err := tx.Exec(ctx, `update signing_keys set state = 'retiring', since = $1, due_at = $2 where state in ('published', 'active', 'retiring')`,
		now, now.Add(a.Times.Retire)); err != nil {
		return err
	}
	jwk, err := a.key.JWK()
	if err != nil {
		return err
	}
	_, err = addSigningKey(ctx, tx, SigningKeyRecord{KID: a.key.KeyID(), Version: a.key.Version, Algorithm: a.key.Algorithm, JWK: string(jwk), State: KeyActive, CreatedAt: now})
	return err
}

// activate makes the tenant visible, with what it may claim. Tokens that name the host it had as their issuer are taken for as long
// as one may be alive.
func (a *arrival) activate(ctx context.Context) error {
	p, t := a.Provisioner, a.tenant
	told := p.Outbox.bundle()
	err := p.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		tag, err := tx.Exec(ctx, `update tenants set state = $5, blueprint = null, schema_version = $2, created_at = $3
			where id = $1 and state = 'provisioning' and blueprint = $4`, t.ID, t.SchemaVersion, t.CreatedAt, a.mark(), t.State)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return a.overtaken(ctx, tx)
		}
		for _, d := range a.from.Domains {
			h, err := ParseDomain(d.Domain)
			uses, bad := ParseUses(d.Uses)
			if err != nil || bad != nil || h == t.PrimaryDomain || len(uses) == 0 {
				continue
			}
			if err := insertDomain(ctx, tx, newDomain(t.ID, h, uses, t.UpdatedAt)); err != nil {
				return err
			}
		}
		if h, slug := a.formerIssuer(); h != "" {
			if _, err := tx.Exec(ctx, `insert into former_issuers (tenant_id, host, slug, ended_at) values ($1, $2, $3, $4) on conflict do nothing`,
				t.ID, h, slug, p.Now()); err != nil {
				return err
			}
		}
		e := Event{Action: "tenant.imported", Actor: a.by, ResourceType: "tenant", ResourceID: t.ID.String(), At: p.Now()}
		return tell(ctx, tx, told, t, e.With("bundle", a.from.ID.String()).With("keys", a.keys()))
	})
	if err == nil {
		told.deliver(ctx)
	}
	return err
}

// notDeleted refuses the id of a tenant that was deleted here. Errors: ErrHere.
func notDeleted(ctx context.Context, tx provisionTx, t id.Tenant) error {
	var deleted bool
	err := tx.QueryRow(ctx, `select exists (select from deletions where tenant_id = $1)`, t).Scan(&deleted)
	if err == nil && deleted {
		err = fmt.Errorf("%w: it was deleted, and an id is never used again", ErrHere)
	}
	return err
}

// vacant refuses a tenant that lives here or was deleted here, and one whose slug somebody has or had. It is asked again when the
// place is reserved; an import that was begun passes. Errors: ErrHere, 409 slug_taken.
func (b *Bundles) vacant(ctx context.Context, t Tenant) error {
	return b.Provisioner.Control.inTx(ctx, func(ctx context.Context, tx provisionTx) error {
		if err := notDeleted(ctx, tx, t.ID); err != nil {
			return err
		}
		var here, taken bool
		err := tx.QueryRow(ctx, `select exists (select from tenants where id = $1 and state <> 'provisioning'),
			exists (select from tenants where slug = $2 and id <> $1) or exists (select from parked_slugs where slug = $2 and tenant_id <> $1)`, t.ID, t.Slug).Scan(&here, &taken)
		switch {
		case err != nil:
			return err
		case here:
			return fmt.Errorf("%w: it lives here already", ErrHere)
		case taken:
			return slugTaken()
		}
		return nil
	})
}
