package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The next version's migration: a column and an index on it.
const nextMigration = `alter table users add column bench_note text;
create index users_bench_note on users (bench_note);
`

// migrationFigures are one run of `gatehouse migrate` over all tenants, and one that finds nothing to do.
type migrationFigures struct {
	Tenants   int     `json:"tenants"`
	Seconds   float64 `json:"seconds"`
	PerTenant float64 `json:"ms_per_tenant"`
	Nothing   float64 `json:"nothing_to_do_seconds"`
}

// measureMigration builds the next version of the program, which differs by one migration, and runs it.
func (f *fleet) measureMigration(ctx context.Context) error {
	next, err := f.buildNext(ctx)
	if err != nil {
		return err
	}
	m := &migrationFigures{}
	f.report.Migration = m
	for _, seconds := range []*float64{&m.Seconds, &m.Nothing} {
		began := time.Now()
		if _, err := f.command(ctx, next, f.env, "migrate"); err != nil {
			return err
		}
		*seconds = time.Since(began).Seconds()
	}
	left, all, err := f.behind(ctx)
	if err == nil && left > 0 {
		err = fmt.Errorf("after the migration %d of %d tenants are behind", left, all)
	}
	m.Tenants, m.PerTenant = all, ratio(m.Seconds*1000, all)
	return err
}

// buildNext lays a file over the source, so that nothing of it stays.
func (f *fleet) buildNext(ctx context.Context) (binary string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("the next version is built from the source, which must be here: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "migrations/tenant")
	number, err := lastNumber(folder)
	if err != nil {
		return "", err
	}
	file, overlay := f.path("next.up.sql"), f.path("overlay.json")
	laid, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(folder, fmt.Sprintf("%04d_bench.up.sql", number+1)): file}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(nextMigration), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, laid, 0o600); err != nil {
		return "", err
	}
	binary = f.path("gatehouse-next")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/gatehouse")
	cmd.Dir, cmd.Stderr = filepath.Dir(filepath.Dir(folder)), os.Stderr
	return binary, cmd.Run()
}

// lastNumber is that of the newest migration in a folder.
func lastNumber(folder string) (int, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.up.sql"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no migrations in %s (%w)", folder, err)
	}
	number, _, _ := strings.Cut(filepath.Base(slices.Max(files)), "_")
	return strconv.Atoi(number)
}
