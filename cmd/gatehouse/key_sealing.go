package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func keyRotateSealing(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "rotate-sealing SLUG", Short: "Add a version to a tenant's sealing key", Args: exactly(1),
		Long: "Add a version to the key that seals a tenant's TOTP secrets and peppers its password hashes. What is made from now on is\n" +
			"made with it, what there is already when it is used next: a secret with the next code, a hash at the next login.\n" +
			"gatehouse key rewrap sees to the secrets at once.",
	}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		version, err := pl.rotator.RotateSealing(ctx, t, tenancy.Actor{Type: tenancy.ByOperator})
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s seals with version %d\n", t.Slug, version)
		return nil
	})
	return c
}

func keyRewrap(p process) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "rewrap SLUG | --all", Short: "Seal anew what older versions of the sealing key have sealed",
		Long: "Seal anew what older versions of a tenant's sealing key have sealed: its TOTP secrets. It may be ended and run again.\n\n" +
			"Password hashes wait for their owners to sign in, and how many still do is told: the pepper is over the hash of a\n" +
			"password that nobody keeps, so nobody but its owner can bring it to be peppered anew.",
		Args: func(c *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return fmt.Errorf("wanted is: %s", c.UseLine())
			}
			return nil
		},
	}
	addFlags(c)
	c.Flags().BoolVar(&all, "all", false, "of all tenants")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		if !all {
			t, err := pl.tenant(ctx, args[0])
			if err != nil {
				return err
			}
			return pl.rewrap(ctx, p, []tenancy.Tenant{t})
		}
		tenants, err := pl.allTenants(ctx)
		if err != nil {
			return err
		}
		return pl.rewrap(ctx, p, tenants)
	})
	return c
}

func (p *platform) allTenants(ctx context.Context) (all []tenancy.Tenant, err error) {
	const page = 250
	var after id.Tenant
	for {
		tenants, err := p.directory.List(ctx, after, page)
		if err != nil {
			return nil, err
		}
		if all = append(all, tenants...); len(tenants) < page {
			return all, nil
		}
		after = tenants[page-1].ID
	}
}

// rewrap sees to one tenant after the other and goes on where one fails. Of several tenants the bar counts tenants.
func (p *platform) rewrap(ctx context.Context, pr process, tenants []tenancy.Tenant) error {
	b := newBar(pr.stderr)
	var rows [][]any
	var failed []error
	for i, t := range tenants {
		told := b.show
		if len(tenants) > 1 {
			told = func(int64, int64) {}
		}
		resealed, waiting, err := p.rewrapOne(ctx, t, told)
		if ctx.Err() != nil {
			b.clear()
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.Slug, plain(err)))
			continue
		}
		if rows = append(rows, []any{t.Slug, resealed, waiting}); len(tenants) > 1 {
			b.show(int64(i+1), int64(len(tenants)))
		}
	}
	b.clear()
	return errors.Join(append(failed, table(pr, "TENANT\tSECRETS SEALED ANEW\tPASSWORDS WAITING", rows))...)
}

func (p *platform) rewrapOne(ctx context.Context, t tenancy.Tenant, told func(done, of int64)) (resealed, waiting int, err error) {
	version, err := p.keymaster.SealingVersion(ctx, t.ID)
	if err != nil {
		return 0, 0, err
	}
	if resealed, err = p.factors.Rewrap(ctx, t, version, told); err != nil {
		return resealed, 0, err
	}
	waiting, err = identity.CountOutdated(ctx, p.db, t, version)
	return resealed, waiting, err
}
