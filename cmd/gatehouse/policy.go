package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func policyCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "List the policies of a tenant, and bring back one that is locked out by them"}
	c.AddCommand(policyList(p), policyReset(p))
	return c
}

func policyList(p process) *cobra.Command {
	c := &cobra.Command{Use: "list SLUG", Short: "List the policies of a tenant", Args: exactly(1)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		all, err := pl.policies.Read(ctx, t)
		if err != nil {
			return err
		}
		rows := make([][]any, len(all))
		for i, x := range all {
			state := string(x.Mode)
			if !x.Enabled {
				state = "off"
			}
			rows[i] = []any{x.ID, x.Name, state, x.Priority, len(x.Rules)}
		}
		return table(p, "ID\tNAME\tSTATE\tPRIORITY\tRULES", rows)
	})
	return c
}

func policyReset(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "reset SLUG", Short: "Switch all policies of a tenant off and the default policy on", Args: exactly(1),
		Long: "Switch all policies of a tenant off, as they are, and the default policy on, as it was: everybody may sign in and\n" +
			"administrators may do everything. It is the way back for a tenant whose policies let nobody in who could change them.",
	}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		if err := pl.policies.Reset(ctx, t); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "The default policy of %s holds and no other; those are switched off and kept.\n", t.Slug)
		return err
	})
	return c
}
