package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

func tenantMove(p process) *cobra.Command {
	var to string
	var longest time.Duration
	c := &cobra.Command{
		Use: "move SLUG --to DATABASE", Short: "Take a tenant to another database while it is used", Args: exactly(1),
		Long: "Take a tenant to another database while it is used. Nobody is signed out. While its rows are copied it can be read, and\n" +
			"writes are answered with 503 and Retry-After; a move that would take longer than --max-pause is given up, and the tenant\n" +
			"stays where it was. The way back is another move.\n\n" +
			"Every server that runs must know both databases: one that does not know where the tenant lives answers 503 for it.\n\n" +
			"It can be killed at any moment: the running servers, or the next move of the tenant, put right what it left.",
	}
	addFlags(c)
	c.Flags().StringVar(&to, "to", "", "name of the database")
	c.Flags().DurationVar(&longest, "max-pause", tenancy.DefaultMaxPause, "how long writes may be refused")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		if to == "" {
			return errors.New("say where to, with --to DATABASE")
		}
		if longest <= 0 {
			return errors.New("--max-pause must be longer than nothing")
		}
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		if t.Database == to {
			fmt.Fprintf(p.stdout, "%s lives in %s already\n", t.Slug, to)
			return nil
		}
		moved, err := pl.provision.Move(ctx, tenancy.Actor{Type: tenancy.ByOperator}, t.ID, to, tenancy.MoveOptions{MaxPause: longest, Watch: func(stage string) {
			if said := moveStages[stage]; said != "" {
				fmt.Fprintln(p.stderr, said)
			}
		}})
		if err != nil {
			return fmt.Errorf("%s was not moved: %w", t.Slug, plain(err))
		}
		fmt.Fprintf(p.stdout, "%s lives in %s now, and nothing of it is left in %s\n%d rows of %d tables were moved; writes were refused for %.2f s\n",
			t.Slug, moved.To, moved.From, moved.Rows, moved.Tables, moved.Pause.Seconds())
		return nil
	})
	return c
}

// moveStages say what a mover does. What is quick is not told.
var moveStages = map[string]string{
	"pause":    "copying: writes are refused ...",
	"clear up": "moved; waiting until nobody looks for it where it was ...",
}
