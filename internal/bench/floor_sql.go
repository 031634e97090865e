package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// What the database alone takes for the same work, asked as its superuser from outside.

// schemaSize is how many tables and indexes a tenant's schema has, those that Postgres keeps beside for long values
// included. Each is a file.
func (s *stack) schemaSize(ctx context.Context) (files int, err error) {
	err = s.query(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `with mine as (select c.oid, c.reltoastrelid from pg_class c join pg_namespace n on n.oid = c.relnamespace
				where n.nspname = 'tenant_template' and c.relkind in ('r', 'i'))
			select count(*) + 2 * count(*) filter (where reltoastrelid <> 0) from mine`).Scan(&files)
	})
	return files, err
}

// makeFiles is the floor under making a tenant: one transaction that makes as many tables, and nothing else.
func (s *stack) makeFiles(ctx context.Context, number, files int) (took time.Duration, err error) {
	var script strings.Builder
	fmt.Fprintf(&script, "begin; create schema floor_%d;\n", number)
	for i := range files {
		fmt.Fprintf(&script, "create table floor_%d.t%d (n int);\n", number, i)
	}
	script.WriteString("commit")
	err = s.query(ctx, func(conn *pgx.Conn) error {
		began := time.Now()
		_, err := conn.Exec(ctx, script.String())
		took = time.Since(began)
		return err
	})
	return took, err
}

// notify is the floor under hearing of a new domain: one row written, announced, and heard on another connection.
func (s *stack) notify(ctx context.Context, times int) (took []time.Duration, err error) {
	err = s.query(ctx, func(hearer *pgx.Conn) error {
		return s.query(ctx, func(writer *pgx.Conn) error {
			if _, err := hearer.Exec(ctx, `listen bench`); err != nil {
				return err
			}
			if _, err := writer.Exec(ctx, `create table if not exists heard (n int)`); err != nil {
				return err
			}
			for range times {
				began := time.Now()
				if _, err := writer.Exec(ctx, `begin; insert into heard values (1); notify bench; commit`); err != nil {
					return err
				}
				if _, err := hearer.WaitForNotification(ctx); err != nil {
					return err
				}
				took = append(took, time.Since(began))
			}
			return nil
		})
	})
	return took, err
}

// tidy does at once what Postgres would do beside the next figure: clean up after so many new tables.
func (s *stack) tidy(ctx context.Context) error { return tidyAt(ctx, s.postgres.SuperuserURL()) }

func tidyAt(ctx context.Context, url string) error {
	return queryAt(ctx, url, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `select oid::regclass::text from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r'`)
		if err != nil {
			return err
		}
		catalogs, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, statement := range []string{"vacuum analyze " + strings.Join(catalogs, ", "), "checkpoint"} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// version is Postgres's.
func (s *stack) version(ctx context.Context) (v string, err error) {
	err = s.query(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, `show server_version`).Scan(&v) })
	v, _, _ = strings.Cut(v, " ")
	return v, err
}

func (s *stack) query(ctx context.Context, do func(*pgx.Conn) error) error {
	return queryAt(ctx, s.postgres.SuperuserURL(), do)
}

func queryAt(ctx context.Context, url string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return do(conn)
}
