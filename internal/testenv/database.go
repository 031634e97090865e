package testenv

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// databaseBound is for one create or drop on a machine that is busy with everybody's tests.
const databaseBound = time.Minute

// Database makes an empty database on the run's Postgres for one test and drops it at the end, also when the test left
// connections open. Roles belong to the whole server: a test that creates some picks names of its own.
func Database(tb testing.TB) (superuserURL string) {
	tb.Helper()
	server := Postgres(tb)
	target, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("no database for the test: %s does not hold a URL", EnvPostgres)
	}
	name := "test_" + strings.ToLower(rand.Text())
	// template0 and not template1: nobody can be connected to it, and a connection makes the copy fail.
	if err := run(server, `create database `+name+` template template0`); err != nil {
		tb.Fatalf("no database for the test: %v", err)
	}
	tb.Cleanup(func() {
		if err := run(server, `drop database if exists `+name+` with (force)`); err != nil {
			tb.Errorf("the test's database was not dropped: %v", err)
		}
	})
	target.Path = "/" + name
	return target.String()
}

func run(server, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseBound)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
