package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity/policy/trial"
)

func policyCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "List, test and rehearse the policies of a tenant, and bring back one that is locked out by them"}
	c.AddCommand(policyList(p), policyTest(p), policyRehearse(p), policyReset(p))
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

func policyTest(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "test FILE", Short: "Run the tests of policies in a file", Args: exactly(1),
		Long: "Run the tests of policies in a YAML file (docs/policies.md says how it is made), without asking a server. Files of rules\n" +
			"that it names are looked for beside it.",
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		suite, err := trial.Parse(text, os.DirFS(filepath.Dir(args[0])))
		if err != nil {
			return err
		}
		results, failed := suite.Run(), 0
		for _, r := range results {
			mark := "ok    "
			if len(r.Failed) > 0 {
				mark, failed = "FAILED", failed+1
			}
			fmt.Fprintln(p.stdout, mark, r.Name)
			for _, why := range r.Failed {
				fmt.Fprintln(p.stdout, "       "+why)
			}
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d tests failed", failed, len(results))
		}
		return nil
	}
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
