package main

import (
	"context"
	"fmt"
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
	next, err := f.buildRelease(ctx, []string{nextMigration})
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
