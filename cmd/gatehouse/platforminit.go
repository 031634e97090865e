package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func platformCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "platform", Short: "Begin an installation"}
	c.AddCommand(platformInit(p))
	return c
}

func platformInit(p process) *cobra.Command {
	var email, name string
	c := &cobra.Command{
		Use: "init --email ADDRESS", Short: "Make the platform's own tenant and its first administrator, and print a code for their password, once", Args: cobra.NoArgs,
		Long: "Make what is missing of the platform's own tenant and its first administrator, and print a code with which they choose\n" +
			"their password. The code works once and for 24 hours; asked again, before it was used, the command prints another one and\n" +
			"the first is good for nothing. The administration key of the tenant is printed when it is made, and never again.",
	}
	addFlags(c)
	c.Flags().StringVar(&email, "email", "", "address of the administrator")
	c.Flags().StringVar(&name, "name", "", "name of the administrator (default: what is before the @)")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, _ []string) error {
		if email == "" {
			return errors.New("say whose the installation is: gatehouse platform init --email ADDRESS")
		}
		n, err := identity.ParseNewUser(email, name, []string{string(identity.RoleAdmin)}, false)
		if err != nil {
			return err
		}
		t, key, err := pl.ensurePlatform(ctx, n)
		if err != nil {
			return err
		}
		code, err := identity.Bootstrap{Users: pl.users}.Administrator(ctx, t, n)
		if err != nil {
			return err
		}
		issuer := pl.config.Address.Issuer(t)
		fmt.Fprintf(p.stdout, "id             %s\nissuer         %s\n", t.ID, issuer)
		if key != "" {
			fmt.Fprintf(p.stdout, "admin_api_key  %s\n", key)
		}
		fmt.Fprintf(p.stdout, "administrator  %s\ncode           %s\nvalid until    %s\n\n", n.Email, code.Token, code.Expires.Format(time.RFC3339))
		fmt.Fprintf(p.stdout, "They choose a password with it, where the server runs:\n\n"+
			"  curl %s/v1/auth/set-initial-password -H 'Content-Type: application/json' -d '{\"token\":\"%s\",\"password\":\"...\"}'\n", issuer, code.Token)
		return nil
	})
	return c
}

// ensurePlatform finds or makes the platform tenant. Of two who make it at once one is told that the slug is taken, and finds
// it the next time.
func (p *platform) ensurePlatform(ctx context.Context, owner identity.NewUser) (tenancy.Tenant, string, error) {
	t, err := p.directory.BySlug(ctx, tenancy.PlatformSlug)
	if !errors.Is(err, tenancy.ErrUnknown) {
		return t, "", err
	}
	made, err := p.provision.Create(ctx, tenancy.Tenant{Slug: tenancy.PlatformSlug, Name: "Platform", Locale: "en", Master: true,
		OwnerEmail: string(owner.Email), OwnerName: owner.Name})
	return made.Tenant, made.AdminKey, err
}
