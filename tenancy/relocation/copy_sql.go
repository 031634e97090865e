package relocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Copy makes the rows of a schema at to those of the schema of that name at from, as it is at one moment. Where it fails nothing was
// changed, but a connection may be of no use any more.
//
// Rows go from server to server as they come; at no time is there more of them here than a network buffer holds.
func Copy(ctx context.Context, from, to *pgx.Conn, schema string) (r Report, err error) {
	source, err := from.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return r, err
	}
	defer func() { _ = source.Rollback(context.WithoutCancel(ctx)) }()
	target, err := to.Begin(ctx)
	if err != nil {
		return r, err
	}
	defer func() { _ = target.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	all, err := alike(ctx, from, to, schema)
	if err != nil {
		return r, err
	}
	if err := empty(ctx, to, schema, all); err != nil {
		return r, err
	}
	for _, t := range all {
		n, err := copyTable(ctx, from.PgConn(), to.PgConn(), schema, t)
		if err != nil {
			return r, fmt.Errorf("relocation: %s: %w", t.name, err)
		}
		r.Tables, r.Rows = r.Tables+1, r.Rows+n
	}
	if _, err := target.Exec(ctx, eachTable(schema, all, "alter table %s enable trigger user")); err != nil {
		return r, err
	}
	return r, target.Commit(ctx)
}

// alike are the tables to be copied. Both sides must have the same, at the same version.
func alike(ctx context.Context, from, to *pgx.Conn, schema string) ([]table, error) {
	var there, here int64
	version := "select version from " + schema + "." + Versions
	if err := errors.Join(from.QueryRow(ctx, version).Scan(&there), to.QueryRow(ctx, version).Scan(&here)); err != nil {
		return nil, err
	}
	if there != here {
		return nil, fmt.Errorf("relocation: %s is at version %d, and where it is to go at %d", schema, there, here)
	}
	a, err := tablesOf(ctx, from, schema)
	if err != nil {
		return nil, err
	}
	b, err := tablesOf(ctx, to, schema)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(a, b, table.same) {
		return nil, fmt.Errorf("relocation: %s has other tables or columns where it is to go", schema)
	}
	return slices.DeleteFunc(a, func(t table) bool { return t.name == Versions }), nil
}

// empty takes out what the tables began with, and lets their triggers rest: what rows cause they have caused once.
func empty(ctx context.Context, to *pgx.Conn, schema string, all []table) error {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.in(schema)
	}
	_, err := to.Exec(ctx, "truncate "+strings.Join(names, ", ")+";\n"+eachTable(schema, all, "alter table %s disable trigger user"))
	return err
}

func eachTable(schema string, all []table, statement string) string {
	var b strings.Builder
	for _, t := range all {
		fmt.Fprintf(&b, statement+";\n", t.in(schema))
	}
	return b.String()
}

func copyTable(ctx context.Context, from, to *pgconn.PgConn, schema string, t table) (rows int64, err error) {
	r, w := io.Pipe()
	sent := make(chan error, 1)
	var out pgconn.CommandTag
	go func() {
		var err error
		out, err = from.CopyTo(ctx, w, fmt.Sprintf("copy (select %s from %s) to stdout (format binary)", t.list(), t.in(schema)))
		_ = w.CloseWithError(err)
		sent <- err
	}()
	in, err := to.CopyFrom(ctx, r, fmt.Sprintf("copy %s (%s) from stdin (format binary)", t.in(schema), t.list()))
	_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // who sends must not wait for a reader that is gone
	if err := errors.Join(<-sent, err); err != nil {
		return 0, err
	}
	if out.RowsAffected() != in.RowsAffected() {
		return 0, fmt.Errorf("%d rows were sent and %d came", out.RowsAffected(), in.RowsAffected())
	}
	return in.RowsAffected(), nil
}
