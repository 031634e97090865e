package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// migrateFigures are one run of `gatehouse migrate` over the tenants of one database, a column and an index for each, and one
// right after it, which finds nothing to do. The start of the program and the directory's own migration are in both.
type migrateFigures struct {
	Workers   int     `json:"workers"`
	Tenants   int     `json:"tenants"`
	Seconds   float64 `json:"seconds"`
	PerTenant float64 `json:"ms_per_tenant"`
	PerSecond float64 `json:"per_second"`
	Nothing   float64 `json:"nothing_to_do_seconds"`
}

// measureMigrations has a release for each number of workers, as a tenant is migrated to each but once.
func (b *bench) measureMigrations(ctx context.Context) error {
	if err := b.growTo(ctx, b.migrated); err != nil {
		return err
	}
	var files []string
	for i, workers := range b.workers {
		files = append(files, fmt.Sprintf("alter table users add column bench_note_%[1]d text;\ncreate index users_bench_note_%[1]d on users (bench_note_%[1]d);\n", i))
		release, err := b.buildRelease(ctx, files)
		if err != nil {
			return err
		}
		f := migrateFigures{Workers: workers}
		if f.Tenants, f.Seconds, err = b.migrate(ctx, release, workers); err != nil {
			return err
		}
		if f.Tenants < b.migrated {
			return fmt.Errorf("of %d tenants %d were migrated", b.migrated, f.Tenants)
		}
		f.PerTenant, f.PerSecond = ratio(1000*f.Seconds, f.Tenants), float64(f.Tenants)/f.Seconds
		again, seconds, err := b.migrate(ctx, release, workers)
		if err != nil {
			return err
		}
		if again > 0 {
			return fmt.Errorf("a second run migrated %d tenants", again)
		}
		f.Nothing = seconds
		b.report.Migrations = append(b.report.Migrations, f)
	}
	return nil
}

// migrate runs a release's migration and says how many tenants it brought further.
func (s *stack) migrate(ctx context.Context, binary string, workers int) (tenants int, seconds float64, err error) {
	cmd := exec.CommandContext(ctx, binary, "migrate", "--workers", strconv.Itoa(workers))
	cmd.Env = append(os.Environ(), s.env...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	began := time.Now()
	said, err := cmd.Output()
	seconds = time.Since(began).Seconds()
	if err != nil {
		return 0, 0, fmt.Errorf("gatehouse migrate: %w\n%s%s", err, said, complaints.String())
	}
	for line := range strings.Lines(string(said)) {
		if n, err := fmt.Sscanf(line, "tenants: %d brought to version", &tenants); n == 1 && err == nil {
			return tenants, seconds, nil
		}
	}
	return 0, 0, fmt.Errorf("gatehouse migrate says only %q", said)
}

// leastMigrated is the promise of ten thousand tenants within a minute.
const leastMigrated = 10_000.0 / 60

func (r *report) judgeMigrations() {
	for _, f := range r.Migrations {
		if f.Workers > 1 { // one is there to see what the others gain
			r.atLeast(fmt.Sprintf("tenants migrated in a second, %d workers", f.Workers), leastMigrated, f.PerSecond)
		}
		r.atMost(fmt.Sprintf("migrate with nothing to do, s, %d workers", f.Workers), mostNothing, f.Nothing)
	}
}

func (r *report) migrateTable() (t table) {
	if len(r.Migrations) == 0 {
		return nil
	}
	t.row("migrate: a column and an index", "tenants", "seconds", "ms per tenant", "tenants per second", "again, nothing to do: seconds")
	for _, f := range r.Migrations {
		t.row(fmt.Sprintf("%d at a time", f.Workers), strconv.Itoa(f.Tenants), fmt.Sprintf("%.2f", f.Seconds), fmt.Sprintf("%.2f", f.PerTenant),
			fmt.Sprintf("%.0f", f.PerSecond), fmt.Sprintf("%.2f", f.Nothing))
	}
	return t
}
