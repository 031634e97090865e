package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/fleet"
)

// fleetFlags gives a command the flags of a run over the fleet, and what they said once they are parsed.
func fleetFlags(c *cobra.Command) func() (fleet.Options, error) {
	o := fleet.Options{Databases: map[string]string{}, Set: migrations.Tenants}
	var canary, halt, only string
	c.Flags().IntVar(&o.Workers, "workers", 4, "tenants at a time, over all databases, from 1 to 64")
	c.Flags().StringVar(&canary, "canary", "1%", "share of the tenants that go first (at least one, at most 50); 0% is none")
	c.Flags().StringVar(&halt, "halt", "5%", "stop when more than this share failed, and at least five")
	c.Flags().DurationVar(&o.LockTimeout, "lock-timeout", 500*time.Millisecond, "how long a change waits for a table, and its users behind it, before it is tried again later")
	c.Flags().DurationVar(&o.StatementTimeout, "statement-timeout", 30*time.Second, "how long one file may take for a tenant, who waits meanwhile")
	c.Flags().StringVar(&only, "tenant", "", "only the tenant of this `slug`, whatever the directory says about its version")
	return func() (_ fleet.Options, err error) {
		var errs []error
		refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
		if o.Canary, err = parseShare(canary); err != nil {
			refuse("--canary %w", err)
		}
		if o.Halt, err = parseShare(halt); err != nil {
			refuse("--halt %w", err)
		}
		if o.Workers < 1 || o.Workers > 64 {
			refuse("--workers must be from 1 to 64")
		}
		if o.LockTimeout < time.Millisecond || o.StatementTimeout < time.Millisecond {
			refuse("--lock-timeout and --statement-timeout must be at least 1ms")
		}
		if only != "" {
			if o.Only, err = tenancy.ParseSlug(only); err != nil {
				refuse("--tenant %q %w", only, err)
			}
		}
		return o, errors.Join(errs...)
	}
}

// migrateTenants shows how far a run is, and fails if one tenant did.
func migrateTenants(ctx context.Context, p process, o fleet.Options) error {
	progress := newPaced(p.stderr, "tenants")
	o.Watch = func(at fleet.Progress) { progress.show(int64(at.Done), int64(at.Of)) }
	began := time.Now()
	report, err := fleet.Migrate(ctx, o)
	progress.clear()
	if errors.Is(err, fleet.ErrNoTenant) {
		return fmt.Errorf("there is no tenant %q", o.Only)
	}
	fmt.Fprintf(p.stdout, "tenants: %d brought to version %d", report.Migrated, o.Set.Latest())
	if report.Migrated > 0 {
		fmt.Fprintf(p.stdout, " in %s", time.Since(began).Round(time.Millisecond))
	}
	fmt.Fprintln(p.stdout)
	for n, what := range map[int]string{report.Left: "were not tried", report.Away: "are in databases that are away"} {
		if n > 0 {
			fmt.Fprintf(p.stdout, "tenants: %d %s\n", n, what)
		}
	}
	if n := len(report.Failed); n > 0 {
		if shown := failureTable(p, report.Failed); shown != nil {
			return shown
		}
		err = errors.Join(err, fmt.Errorf("%d tenants failed and are as they were; the next run tries them again", n))
	}
	return oneLine(err)
}

// parseShare reads a percentage.
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if !percent || err != nil || !(share >= 0 && share <= 100) {
		return 0, errors.New("must be a percentage from 0% to 100%")
	}
	return share / 100, nil
}
