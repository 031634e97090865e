package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func tenantCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "tenant", Short: "Create, list, show, rename, suspend, move, export, import and delete tenants"}
	c.AddCommand(tenantCreate(p), tenantList(p), tenantShow(p), tenantRename(p), tenantSuspend(p), tenantMove(p), tenantExport(p), tenantImport(p), tenantBundle(p), tenantDelete(p), tenantRestore(p), tenantReceipt(p))
	return c
}

func tenantCreate(p process) *cobra.Command {
	var name, owner, ownerName, algorithm, database string
	c := &cobra.Command{
		Use: "create SLUG", Short: "Create a tenant and print its administration key, once", Args: exactly(1),
		Long: "Create a tenant and print its administration key, once. The slug " + string(tenancy.PlatformSlug) + " makes the platform's own tenant, whose\n" +
			"keys and administrators make tenants over HTTP.",
	}
	addFlags(c)
	c.Flags().StringVar(&name, "name", "", "name of the tenant (default: its slug)")
	c.Flags().StringVar(&owner, "owner-email", "", "address of its first owner")
	c.Flags().StringVar(&ownerName, "owner-name", "", "name of its first owner")
	c.Flags().StringVar(&database, "database", "", "name of the database it is put into (default: the one with most room); every replica must know it")
	c.Flags().StringVar(&algorithm, "algorithm", string(custody.ES256), "signature algorithm: ES256, EdDSA or RS256")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t := tenancy.Tenant{Name: name, Locale: "en", OwnerName: ownerName, Database: database, SigningAlgorithm: custody.Algorithm(algorithm)}
		var err error
		if t.Slug, err = tenancy.ParseNewSlug(args[0]); args[0] == string(tenancy.PlatformSlug) {
			t.Slug, t.Master = tenancy.PlatformSlug, true
		} else if err != nil {
			return fmt.Errorf("slug %q %w", args[0], err)
		}
		if t.Name == "" {
			t.Name = args[0]
		}
		if t.Name, err = tenancy.ParseName(t.Name); err != nil {
			return fmt.Errorf("name %w", err)
		}
		if !t.SigningAlgorithm.Valid() {
			return fmt.Errorf("algorithm %q must be ES256, EdDSA or RS256", algorithm)
		}
		if owner != "" {
			if t.OwnerEmail, err = canonicalEmail(owner); err != nil {
				return fmt.Errorf("owner-email %w", err)
			}
		}
		made, err := pl.provision.Create(ctx, t)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "id             %s\nissuer         %s\nadmin_api_key  %s\n", made.Tenant.ID, pl.config.Address.Issuer(made.Tenant), made.AdminKey)
		return nil
	})
	return c
}

func tenantList(p process) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List tenants", Args: cobra.NoArgs}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, _ []string) error {
		const page = 250
		var rows [][]any
		var after id.Tenant
		for {
			tenants, err := pl.directory.List(ctx, after, page)
			if err != nil {
				return err
			}
			for _, t := range tenants {
				rows = append(rows, []any{t.Slug, t.State, t.PrimaryDomain, t.Database, t.SchemaVersion, t.ID})
				after = t.ID
			}
			if len(tenants) < page {
				return table(p, "SLUG\tSTATE\tPRIMARY DOMAIN\tDATABASE\tSCHEMA\tID", rows)
			}
		}
	})
	return c
}

func tenantShow(p process) *cobra.Command {
	c := &cobra.Command{Use: "show SLUG", Short: "Show a tenant", Args: exactly(1)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		found, err := pl.anyTenant(ctx, args[0])
		if err != nil {
			return err
		}
		t, err := pl.directory.Read(ctx, found)
		if errors.Is(err, tenancy.ErrUnknown) {
			return fmt.Errorf("%s is deleted for ever", args[0])
		}
		if err != nil {
			return err
		}
		rows := [][]any{
			{"id", t.ID}, {"slug", t.Slug}, {"name", t.Name}, {"state", t.State}, {"issuer", pl.config.Address.Issuer(t)},
			{"primary domain", t.PrimaryDomain}, {"region", t.Region}, {"database", t.Database}, {"schema version", t.SchemaVersion},
			{"owner", t.OwnerEmail}, {"algorithm", t.SigningAlgorithm}, {"created", t.CreatedAt.Format(time.RFC3339)}, {"updated", t.UpdatedAt.Format(time.RFC3339)},
		}
		if t.State == tenancy.Deleting {
			d, err := pl.provision.Preview(ctx, t.ID)
			if err != nil {
				return err
			}
			rows = append(rows, []any{"to be deleted", moment(d.After)})
		}
		return table(p, "FIELD\tVALUE", rows)
	})
	return c
}

func tenantRename(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "rename OLD NEW", Short: "Give a tenant another slug", Args: exactly(2),
		Long: "Give a tenant another slug. The old one leads nowhere then and is parked: no other tenant is ever given it, and this one may\n" +
			"take it back. Domains stay as they are; where tenants are given one, the new slug's is added. The issuer changes where it was\n" +
			"made of the slug, and where the tenant had no domain and is given one now.",
	}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		slug, err := tenancy.ParseNewSlug(args[1])
		if err != nil {
			return fmt.Errorf("slug %q %w", args[1], err)
		}
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			if done, look := pl.provision.Renamed(ctx, tenancy.Slug(args[0]), slug); look == nil && done {
				fmt.Fprintf(p.stdout, "%s is %s already\n", args[0], slug)
				return nil
			}
			return err
		}
		before := pl.config.Address.Issuer(t)
		if err := pl.provision.Update(ctx, t.ID, tenancy.Change{By: tenancy.Actor{Type: tenancy.ByOperator}, Slug: &slug}); err != nil {
			return err
		}
		if t, err = pl.directory.Read(ctx, t.ID); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s is now %s\nissuer  %s\n", args[0], t.Slug, pl.config.Address.Issuer(t))
		pl.tellIssuer(p, t, before)
		return nil
	})
	return c
}

// tellIssuer says what follows where the issuer of a tenant has become another one.
func (p *platform) tellIssuer(at process, t tenancy.Tenant, before string) {
	if now := p.config.Address.Issuer(t); now != before {
		fmt.Fprintf(at.stdout, "The issuer was %s: back ends have to be told of the new one. Tokens of the old one are good until %s at the latest.\n",
			before, p.now().Add(tenancy.MaxAccessLife).UTC().Format(time.DateTime+" UTC"))
	}
}

func tenantSuspend(p process) *cobra.Command {
	var resume bool
	c := &cobra.Command{Use: "suspend SLUG", Short: "Suspend a tenant, or resume it", Args: exactly(1)}
	c.Long = "Suspend a tenant: its people and keys are refused (403) until it is resumed. Nothing of it is lost."
	addFlags(c)
	c.Flags().BoolVar(&resume, "resume", false, "make it active again")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		suspended := !resume
		if err := pl.provision.Update(ctx, t.ID, tenancy.Change{By: tenancy.Actor{Type: tenancy.ByOperator}, Suspended: &suspended}); err != nil {
			return err
		}
		state := tenancy.Active
		if suspended {
			state = tenancy.Suspended
		}
		fmt.Fprintf(p.stdout, "%s is %s\n", t.Slug, state)
		return nil
	})
	return c
}
