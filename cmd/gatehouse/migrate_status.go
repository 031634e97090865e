package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/fleet"
)

func migrateStatus(p process) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show at which versions the tenants' schemas are, and which failed",
		Long: "Show at which versions the tenants' schemas are, by database, and which tenants the last run could not migrate, why and\n" +
			"when. Needs GATEHOUSE_PROVISIONER_DATABASE_URL.",
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, with all tenants that failed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		databases, err := provisioned(p)
		if err != nil {
			return err
		}
		s, err := fleet.ReadStatus(c.Context(), string(databases[0].ProvisionerURL), migrations.Tenants)
		if err != nil {
			return oneLine(err)
		}
		if asJSON {
			out := json.NewEncoder(p.stdout)
			out.SetIndent("", "  ")
			return out.Encode(s)
		}
		var rows [][]any
		behind := 0
		for _, n := range s.Counts {
			rows = append(rows, []any{n.Database, n.Version, n.Tenants, n.Failed})
			if n.Version < s.Version {
				behind += n.Tenants
			}
		}
		for _, d := range databases {
			if !slices.ContainsFunc(s.Counts, func(n fleet.Count) bool { return n.Database == d.Name }) {
				rows = append(rows, []any{d.Name, "-", 0, 0})
			}
		}
		if err := table(p, "DATABASE\tVERSION\tTENANTS\tFAILED", rows); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "\ntenants behind version %d: %d\n", s.Version, behind)
		if len(s.Failures) == 0 {
			return nil
		}
		return failureTable(p, s.Failures)
	}
	return c
}

// mostFailures is how many a person wants to read.
const mostFailures = 20

func failureTable(p process, failures []fleet.Failure) error {
	var rows [][]any
	for i, f := range failures {
		if i == mostFailures {
			break
		}
		row := []any{f.Slug, f.Database, f.Version, f.State, f.Error}
		if !f.At.IsZero() {
			row = []any{f.Slug, f.Database, f.Version, f.State, f.At.UTC().Format(time.DateTime), f.Error}
		}
		rows = append(rows, row)
	}
	head := "SLUG\tDATABASE\tVERSION\tSTATE\tERROR"
	if !failures[0].At.IsZero() {
		head = "SLUG\tDATABASE\tVERSION\tSTATE\tLAST TRIED\tERROR"
	}
	fmt.Fprintln(p.stdout)
	if err := table(p, head, rows); err != nil {
		return err
	}
	if more := len(failures) - len(rows); more > 0 {
		fmt.Fprintf(p.stdout, "and %d more: gatehouse migrate status --json lists all\n", more)
	}
	return nil
}
