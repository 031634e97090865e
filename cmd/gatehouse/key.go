package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity"
)

func keyCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Make API keys; list, rotate and revoke the keys of tenants",
		Long: "Make API keys (create); list, rotate and revoke a tenant's signing keys; rotate its sealing key\n" +
			"(rotate-sealing) and seal anew what older versions of it have sealed (rewrap).",
	}
	c.AddCommand(keyCreate(p), keyList(p), keyRotate(p), keyRevoke(p), keyRotateSealing(p), keyRewrap(p))
	return c
}

func keyCreate(p process) *cobra.Command {
	create := &cobra.Command{Use: "create SLUG", Short: "Make an API key of a tenant and print it, once", Args: exactly(1)}
	var name string
	var scopes []string
	addFlags(create)
	create.Flags().StringVar(&name, "name", "Made at the command line", "name of the key")
	create.Flags().StringSliceVar(&scopes, "scopes", nil, "what it may do (default: everything in the tenant)")
	create.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		n, err := identity.ParseNewAPIKey(t, name, scopes)
		if err != nil {
			return err
		}
		_, raw, err := pl.apiKeys.Issue(ctx, t, n)
		if err == nil {
			fmt.Fprintln(p.stdout, raw)
		}
		return err
	})
	return create
}
