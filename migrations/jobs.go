package migrations

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// JobsSchema holds what is to be done after a transaction, as rows that replicas take turns at. Each database that tenants
// live in has one.
const JobsSchema = "jobs"

// JobsRole is the role that the workers' connections take on. It has the rows of the jobs and no way to a tenant's. It
// cannot log in.
const JobsRole = "gatehouse_jobs"

//go:embed jobs.sql
var jobsScript string

// Jobs brings the jobs' schema of one database to the newest version: the tables of the library that works them, then
// what is ours. It is safe to run again and from several processes at once.
func Jobs(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return fmt.Errorf("migrations: database URL: %w", err)
	}
	defer pool.Close()
	// The library applies each of its files in a transaction and asks for no lock, so the lock is a connection's.
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Hijack().Close(context.WithoutCancel(ctx)) }() // and the lock goes with it
	if _, err := lock.Exec(ctx, "select pg_advisory_lock(hashtextextended('gatehouse jobs', 0))"); err != nil {
		return err
	}
	if _, err := lock.Exec(ctx, "create schema if not exists "+JobsSchema); err != nil {
		return fmt.Errorf("migrations: make schema %s: %w", JobsSchema, err)
	}
	quiet := slog.New(slog.DiscardHandler)
	library, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: JobsSchema, Logger: quiet})
	if err != nil {
		return err
	}
	if _, err := library.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrations: %s: %w", JobsSchema, err)
	}
	return ours(ctx, lock.Conn())
}

func ours(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, jobsScript); err != nil { // no arguments: one text, one transaction
		return fmt.Errorf("migrations: %s: %w", JobsSchema, err)
	}
	return nil
}
