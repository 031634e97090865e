package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// connection is one to the database, as its superuser.
type connection = *pgx.Conn

// connect opens connections that each commit by themselves, and a table for them to write to.
func (s *stack) connect(ctx context.Context, n int) (chan connection, error) {
	all := make(chan connection, n)
	for range n {
		c, err := pgx.Connect(ctx, s.postgres.SuperuserURL())
		if err != nil {
			return nil, err
		}
		if _, err := c.Exec(ctx, `create table if not exists floor_commits (n int)`); err != nil {
			return nil, err
		}
		all <- c
	}
	return all, nil
}

func (f *factorFloor) commit(ctx context.Context) error {
	c := <-f.connections
	defer func() { f.connections <- c }()
	_, err := c.Exec(ctx, `insert into floor_commits values (1)`)
	return err
}

func (f *factorFloor) close(ctx context.Context) {
	for range cap(f.connections) {
		_ = (<-f.connections).Close(ctx)
	}
}

// forgetSteps has apps' codes be good again, so that a round can be repeated within half a minute.
func (s *stack) forgetSteps(ctx context.Context, among []tenant) error {
	return s.query(ctx, func(conn *pgx.Conn) error {
		for _, t := range among {
			if _, err := conn.Exec(ctx, fmt.Sprintf(`update %s.factors set last_step = 0`, t.schema())); err != nil {
				return err
			}
		}
		return nil
	})
}

// schema is the tenant's, named from its id.
func (t tenant) schema() string { return "t_" + strings.ReplaceAll(t.id, "-", "") }

// pending is how many challenges tenants have, and what their table and its indexes take.
func (s *stack) pending(ctx context.Context, among []tenant) (rows, bytes int64, err error) {
	err = s.query(ctx, func(conn *pgx.Conn) error {
		for _, t := range among {
			var n, size int64
			err := conn.QueryRow(ctx, fmt.Sprintf(`select count(*), pg_total_relation_size('%[1]s.challenges') from %[1]s.challenges`, t.schema())).Scan(&n, &size)
			if err != nil {
				return err
			}
			rows, bytes = rows+n, bytes+size
		}
		return nil
	})
	return rows, bytes, err
}
