package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// operator runs a command of an operator with the platform put together but not serving.
func operator(p process, do func(context.Context, *platform, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(c, p.getenv)
		if err != nil {
			return err
		}
		platform, err := wire(c.Context(), cfg, cfg.logger(p.stderr))
		if err != nil {
			return err
		}
		defer platform.close()
		return do(c.Context(), platform, args)
	}
}

// tenant finds the tenant an operator names by slug.
func (p *platform) tenant(ctx context.Context, slug string) (tenancy.Tenant, error) {
	s, err := tenancy.ParseSlug(slug)
	if err != nil {
		return tenancy.Tenant{}, fmt.Errorf("%q: %w", slug, err)
	}
	t, err := p.directory.BySlug(ctx, s)
	if errors.Is(err, tenancy.ErrUnknown) {
		return t, fmt.Errorf("there is no tenant %q", slug)
	}
	return t, err
}

// table prints rows in columns.
func table(p process, head string, rows [][]any) error {
	w := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
