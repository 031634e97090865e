package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func domainCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "domain", Short: "List, add, verify and remove tenants' domains, and make one primary"}
	c.AddCommand(domainList(p), domainAdd(p), domainVerify(p), domainPrimary(p), domainRemove(p))
	return c
}

func domainList(p process) *cobra.Command {
	c := &cobra.Command{Use: "list SLUG", Short: "List a tenant's domains", Args: exactly(1)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		all, err := pl.everyDomain(ctx, t)
		if err != nil {
			return err
		}
		var rows [][]any
		for _, d := range all {
			rows = append(rows, []any{readable(d.Domain), usesOf(d), pl.domainState(d), moment(d.CheckedAt), d.ID})
		}
		return table(p, "DOMAIN\tUSES\tSTATE\tCHECKED\tID", rows)
	})
	return c
}

// readable is a name in DNS's letters and, where those are not what people read, in theirs.
func readable(h tenancy.Host) string {
	if u := h.Unicode(); u != string(h) {
		return string(h) + " (" + u + ")"
	}
	return string(h)
}

func usesOf(d tenancy.Domain) string {
	uses := make([]string, len(d.Uses))
	for i, u := range d.Uses {
		uses[i] = string(u)
	}
	return strings.Join(uses, ",")
}

// domainState is where a domain stands, in a few words.
func (p *platform) domainState(d tenancy.Domain) string {
	state := string(d.State())
	if d.Primary {
		state += ", primary"
	}
	switch d.State() {
	case tenancy.DomainFailing:
		state += ", lost after " + d.FailingSince.Add(p.config.DomainGrace).Format(time.RFC3339)
	case tenancy.DomainLost:
		state += " " + d.LostAt.Format(time.RFC3339)
	}
	return state
}

func moment(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Format(time.RFC3339)
}

// everyDomain is all of a tenant's domains; there are a hundred at most.
func (p *platform) everyDomain(ctx context.Context, t tenancy.Tenant) ([]tenancy.Domain, error) {
	return p.domains.List(ctx, t, id.Domain{}, 1000)
}

// onDomain is a command about a domain that its tenant has claimed.
func onDomain(p process, c *cobra.Command, do func(context.Context, *platform, tenancy.Admitted, tenancy.Domain) error) *cobra.Command {
	c.Args = exactly(2)
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		h, err := tenancy.ParseDomain(args[1])
		if err != nil {
			return fmt.Errorf("%q %w", args[1], err)
		}
		all, err := pl.everyDomain(ctx, t)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(d tenancy.Domain) bool { return d.Domain == h })
		if i < 0 {
			return fmt.Errorf("%s has not claimed %s", t.Slug, h)
		}
		return do(ctx, pl, tenancy.Admitted{Tenant: t, Actor: byOperator}, all[i])
	})
	return c
}

var byOperator = tenancy.Actor{Type: tenancy.ByOperator}

func domainAdd(p process) *cobra.Command {
	var uses []string
	c := &cobra.Command{Use: "add SLUG DOMAIN", Short: "Claim a domain and print the record that proves it", Args: exactly(2)}
	addFlags(c)
	c.Flags().StringSliceVar(&uses, "uses", []string{"host"}, "what it is for: host, email or both")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		h, err := tenancy.ParseClaim(args[1])
		if err != nil {
			return fmt.Errorf("%q %w", args[1], err)
		}
		wanted, err := tenancy.ParseUses(uses)
		if err != nil {
			return fmt.Errorf("uses %w", err)
		}
		var d tenancy.Domain
		op := tenancy.Operation{Name: "gatehouse domain add", Actor: byOperator}
		if _, err := pl.domains.Claim(ctx, t, op, h, wanted, func(made tenancy.Domain) any { d = made; return nil }); err != nil {
			return pl.claimedAlready(ctx, p, t, h, err)
		}
		fmt.Fprintf(p.stdout, "Publish this record, then run gatehouse domain verify %s %s:\n\n%s. TXT %q\n", t.Slug, h, d.RecordName(), d.RecordValue())
		return nil
	})
	return c
}

// claimedAlready says of a claim that was refused whether it is the tenant's own, and prints its record again.
func (p *platform) claimedAlready(ctx context.Context, at process, t tenancy.Tenant, h tenancy.Host, refused error) error {
	all, err := p.everyDomain(ctx, t)
	if err != nil {
		return refused
	}
	for _, d := range all {
		if d.Domain != h {
			continue
		}
		fmt.Fprintf(at.stdout, "%s has claimed %s already, for %s. Its record is:\n\n%s. TXT %q\n\nFor other uses, remove it and add it again.\n",
			t.Slug, h, usesOf(d), d.RecordName(), d.RecordValue())
		return nil
	}
	return refused
}

func domainVerify(p process) *cobra.Command {
	c := &cobra.Command{Use: "verify SLUG DOMAIN", Short: "Look for the proof of a domain in DNS"}
	c.Long = "Look for the proof of a domain in DNS: the TXT record that gatehouse domain add printed. While it is not found the command\n" +
		"fails, and prints it again."
	return onDomain(p, c, func(ctx context.Context, pl *platform, by tenancy.Admitted, d tenancy.Domain) error {
		o, err := pl.domains.Verify(ctx, by, d.ID)
		if err == nil && !o.Verified {
			return fmt.Errorf("%s\nWanted is: %s. TXT %q", o.Message, d.RecordName(), d.RecordValue())
		}
		if err == nil {
			fmt.Fprintln(p.stdout, o.Message)
		}
		return err
	})
}

func domainPrimary(p process) *cobra.Command {
	c := &cobra.Command{Use: "primary SLUG DOMAIN", Short: "Move a tenant's issuer and links to a domain"}
	c.Long = "Move a tenant's issuer and links to a domain it has verified. Tokens of the issuer before stay good until they expire, within the hour."
	return onDomain(p, c, func(ctx context.Context, pl *platform, by tenancy.Admitted, d tenancy.Domain) error {
		before := pl.config.Address.Issuer(by.Tenant)
		if _, err := pl.domains.MakePrimary(ctx, by, d.ID); err != nil {
			return err
		}
		t, err := pl.directory.Read(ctx, by.Tenant.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "the issuer of %s is %s\n", t.Slug, pl.config.Address.Issuer(t))
		pl.tellIssuer(p, t, before)
		return nil
	})
}

func domainRemove(p process) *cobra.Command {
	c := &cobra.Command{Use: "remove SLUG DOMAIN", Short: "Give a tenant's domain up"}
	c.Long = "Give a tenant's domain up: nobody is served there any more, and another tenant may prove it. If it was the primary one, the\n" +
		"host proved longest takes its place, and is the issuer. Of a name that the platform gave there is no claim: the tenant gets it\n" +
		"back when it is renamed to another slug and back, and keeps the other slug's name besides; which is primary says domain list."
	return onDomain(p, c, func(ctx context.Context, pl *platform, by tenancy.Admitted, d tenancy.Domain) error {
		before := pl.config.Address.Issuer(by.Tenant)
		if err := pl.domains.Remove(ctx, by, d.ID); err != nil {
			return err
		}
		t, err := pl.directory.Read(ctx, by.Tenant.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s no longer has %s\n", t.Slug, d.Domain)
		if now := pl.config.Address.Issuer(t); now != before {
			fmt.Fprintf(p.stdout, "the issuer of %s is %s\n", t.Slug, now)
		}
		pl.tellIssuer(p, t, before)
		if d.VerifiedAt != nil {
			fmt.Fprintf(p.stdout, "Passkeys that were made for %s wait until the tenant has it again.\n", d.Domain)
		}
		return nil
	})
}
