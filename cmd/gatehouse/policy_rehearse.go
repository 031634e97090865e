package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/identity/policyadmin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func policyRehearse(p process) *cobra.Command {
	var days int
	var stored string
	c := &cobra.Command{
		Use: "rehearse SLUG [FILE]", Short: "Put the tenant's logins of the last days to a draft",
		Long: "Put the tenant's logins of the last days to a draft and say who would have been denied or asked for more. The draft is a file\n" +
			"of rules in Cedar, as a policy more or, with --policy, in place of that one's rules; a stored policy alone is taken as enabled\n" +
			"and enforced. Nothing is changed.",
		Args: cobra.RangeArgs(1, 2),
	}
	addFlags(c)
	c.Flags().IntVar(&days, "days", 30, "so many `days` of logins, up to 90")
	c.Flags().StringVar(&stored, "policy", "", "`id` of a policy of the tenant")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		if days < 1 || days > 90 {
			return errors.New("--days must be from 1 to 90")
		}
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		d, err := draftOf(stored, args[1:])
		if err != nil {
			return err
		}
		bar := newBar(p.stderr)
		found, err := pl.policies.Rehearse(ctx, t, d, pl.now().AddDate(0, 0, -days), func(done, all int) { bar.show(int64(done), int64(all)) })
		bar.clear()
		if err != nil {
			return err
		}
		return tellRehearsal(p, found)
	})
	return c
}

func draftOf(stored string, files []string) (d policyadmin.Draft, err error) {
	if stored != "" {
		which, err := id.ParsePolicy(stored)
		if err != nil {
			return d, errors.New("--policy must be the id of a policy, see gatehouse policy list")
		}
		d.Policy = &which
	}
	if len(files) == 0 {
		return d, nil
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return d, err
	}
	if d.Rules, err = policy.ParseRules(string(text)); err != nil {
		err = fmt.Errorf("%s: %w", files[0], err)
	}
	return d, err
}

func tellRehearsal(p process, r policyadmin.Rehearsal) error {
	fmt.Fprintf(p.stdout, "%d logins from %s to %s: %d as before, %d denied, %d asked for more, %d permitted that were denied, %d uncertain; %d skipped\n",
		r.Logins, r.From.Format(time.DateTime), r.To.UTC().Format(time.DateTime), r.Unchanged, r.Denied, r.Asked, r.Permitted, r.Uncertain, r.Skipped)
	if !r.Complete {
		fmt.Fprintln(p.stdout, "The time was over before all were looked at.")
	}
	if len(r.Users) == 0 {
		return nil
	}
	rows := make([][]any, len(r.Users))
	for i, a := range r.Users {
		rows[i] = []any{a.Email, a.Change, a.Logins, a.Last.Format(time.DateTime), strings.Join(a.Notices, " ")}
	}
	if err := table(p, "EMAIL\tCHANGE\tLOGINS\tLAST\tNOTICES", rows); err != nil {
		return err
	}
	if r.Omitted > 0 {
		fmt.Fprintf(p.stdout, "and %d users more\n", r.Omitted)
	}
	return nil
}
