package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity/password/breach"
)

func passwordsCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "passwords", Short: "Make the filter of breached passwords"}
	c.AddCommand(passwordsBuildFilter(p))
	return c
}

func passwordsBuildFilter(p process) *cobra.Command {
	o := breach.BuildOptions{}
	var megabytes int64
	c := &cobra.Command{
		Use: "build-filter --in LIST --out FILE", Short: "Make a filter of a list of hashes of breached passwords", Args: cobra.NoArgs,
		Long: "Make a filter of a list of SHA-1 hashes in hexadecimal, one in each line and in any order, each with a colon and how often it\n" +
			"was seen or without. The file is what GATEHOUSE_BREACH_FILTER names. It needs no database and no settings. The list is\n" +
			"read once, and then once for as much of the filter as --memory holds.",
	}
	c.Flags().StringVar(&o.In, "in", "", "the list")
	c.Flags().StringVar(&o.Out, "out", "", "the filter; replaced once the new one is whole")
	c.Flags().Float64Var(&o.Rate, "rate", 0.001, "how many passwords that are in no list are refused as if they were: 0.000001 to 0.1")
	c.Flags().Uint64Var(&o.MinCount, "min-count", 1, "leave out hashes that were seen less often")
	c.Flags().Int64Var(&megabytes, "memory", 1024, "megabytes of the filter to hold at a time")
	c.RunE = func(*cobra.Command, []string) error {
		if o.In == "" || o.Out == "" {
			return errors.New("wanted is: gatehouse passwords build-filter --in LIST --out FILE")
		}
		if megabytes < 1 || megabytes > 1<<20 {
			return errors.New("--memory must be from 1 to 1048576")
		}
		o.Memory = megabytes << 20
		bar := newBar(p.stderr)
		o.Progress = func(read, of int64) { bar.show(read, of) }
		n, err := breach.Build(o)
		bar.clear()
		if err == nil {
			fmt.Fprintf(p.stdout, "%d hashes\n", n)
		}
		return err
	}
	return c
}
