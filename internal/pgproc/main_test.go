package pgproc_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
)

// helperDir makes the test binary a stand-in for a gatehouse: it starts the cluster in this directory, says so, and
// lives until its input ends or it is killed.
const helperDir = "PGPROC_HELPER_DIR"

// helperObtain makes it a stand-in for one on a machine without Postgres.
const helperObtain = "PGPROC_HELPER_OBTAIN"

func TestMain(m *testing.M) {
	if os.Getenv(helperObtain) != "" {
		pgproc.ForgetPlaces()
		_, err := pgproc.Obtain(context.Background(), io.Discard)
		fmt.Println(err)
		os.Exit(0)
	}
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(helper(dir))
	}
	os.Exit(m.Run())
}

func helper(dir string) int {
	bin, err := pgproc.Find()
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	server, err := pgproc.Start(context.Background(), pgproc.Options{BinDir: bin, Dir: dir, Volatile: true})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(server.PID(), server.SuperuserURL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Stop(); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// clusterDir is a directory that any account can reach, unlike t.TempDir, and that is removed with all its belongings.
func clusterDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgproc-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pgproc.Remove(filepath.Join(dir, "pg")); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "pg")
}

func options(t *testing.T, dir string) pgproc.Options {
	t.Helper()
	bin, err := pgproc.Find()
	if err != nil {
		t.Fatal(err)
	}
	return pgproc.Options{BinDir: bin, Dir: dir, Volatile: true, Log: t.Output()}
}

// start starts a cluster and stops it at the end of the test.
func start(t *testing.T, o pgproc.Options) *pgproc.Server {
	t.Helper()
	server, err := pgproc.Start(within(t, time.Minute), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func within(t *testing.T, bound time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), bound)
	t.Cleanup(cancel)
	return ctx
}

// exec runs SQL as the superuser and returns the first column of the first row, if there is one.
func exec(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := within(t, 30*time.Second)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	value := ""
	for rows.Next() {
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return value
}
