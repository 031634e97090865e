package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/transfer"
)

func userImport(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "import SLUG FILE", Short: "Add users from a file, with the password hashes of another system", Args: exactly(2),
		Long: "Add users from a file of one JSON object in each line: email, name, email_verified and password_hash. A line that is not in\n" +
			"order is told and refused alone; who has a user already is left as they are, so an import that was interrupted is\n" +
			"run again. docs/import.md says which hashes are taken.",
	}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		f, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer f.Close()
		bar, err := newProgress(p.stderr, f)
		if err != nil {
			return err
		}
		counts, err := pl.transfers.Import(ctx, identity.Operator(t), transfer.Importing{
			In: bar, Vouch: true,
			Still: func(context.Context) error { return nil },
			Out: func(results []transfer.ImportResult) error {
				for _, r := range results {
					if r.Status == transfer.ImportError {
						bar.clear()
						fmt.Fprintf(p.stdout, "line %d: %s\n", r.Line, r.Message)
					}
				}
				bar.draw()
				return nil
			},
		})
		bar.clear()
		fmt.Fprintf(p.stdout, "%d created, %d exist already, %d refused\n", counts.Created, counts.Exists, counts.Errors)
		if err == nil && counts.Errors > 0 {
			return fmt.Errorf("%d of %d lines were refused", counts.Errors, counts.Lines)
		}
		return err
	})
	return c
}

func userExport(p process) *cobra.Command {
	var hashes bool
	var recipients []string
	c := &cobra.Command{
		Use: "export SLUG", Short: "Write all users of a tenant, as import takes them", Args: exactly(1),
		Long: "Write all users of a tenant to standard output, one JSON object in each line, as import takes them. With --hashes come the\n" +
			"password hashes that were imported and are not ours yet; who has them can guess at passwords, so they are only\n" +
			"written sealed to somebody's age key. Our own hashes verify nowhere but here and are never written.",
	}
	addFlags(c)
	c.Flags().BoolVar(&hashes, "hashes", false, "with imported password hashes; needs --recipient")
	c.Flags().StringSliceVar(&recipients, "recipient", nil, "seal the output to this age public key (age1...); may be repeated")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		if hashes && len(recipients) == 0 {
			return fmt.Errorf("password hashes are written sealed only: name an age key with --recipient")
		}
		out, err := sealTo(p.stdout, recipients)
		if err != nil {
			return err
		}
		lines := bufio.NewWriter(out)
		write := json.NewEncoder(lines)
		write.SetEscapeHTML(false)
		kept, err := pl.transfers.Export(ctx, t, hashes, func(l transfer.ExportLine) error { return write.Encode(l) })
		if err != nil {
			return err
		}
		if err := lines.Flush(); err != nil {
			return err
		}
		if kept > 0 {
			fmt.Fprintf(p.stderr, "%d users have a password hash that verifies nowhere but here; it was left out\n", kept)
		}
		return out.Close()
	})
	return c
}

// sealTo is w, or w behind a seal that only the recipients open. Without its Close what was sealed cannot be opened.
func sealTo(w io.Writer, recipients []string) (io.WriteCloser, error) {
	if len(recipients) == 0 {
		return open{w}, nil
	}
	return sealed(w, recipients)
}

type open struct{ io.Writer }

func (open) Close() error { return nil }
