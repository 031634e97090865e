package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

func tenantDelete(p process) *cobra.Command {
	var dryRun, yes bool
	var grace, receipt string
	c := &cobra.Command{
		Use: "delete SLUG", Short: "Delete a tenant for ever and print the receipt", Args: exactly(1),
		Long: "Delete a tenant for ever and print the receipt, which `gatehouse tenant receipt verify` verifies. Its keys are destroyed first,\n" +
			"so that copies of its data are worthless, then its schema and its role. Said again, it goes on where it was interrupted; of a\n" +
			"tenant that was deleted it prints the same receipt.",
	}
	addFlags(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be destroyed, and change nothing")
	c.Flags().StringVar(&grace, "grace", "", "have it deleted after this `time`, as in 7d or 36h, at most 365d; until then gatehouse tenant restore brings it back")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().StringVar(&receipt, "receipt", "", "write the receipt to this `file`")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		wait, err := graceOfDeletion(grace)
		if err != nil {
			return err
		}
		t, err := pl.anyTenant(ctx, args[0])
		if err != nil {
			return err
		}
		d, err := pl.provision.Preview(ctx, t)
		if err != nil {
			return err
		}
		if d.State == tenancy.Deleted && dryRun {
			fmt.Fprintf(p.stdout, "%s (%s) was deleted at %s already\ndry run: nothing was changed\n", d.Slug, d.Tenant, moment(d.DeletedAt))
			return nil
		}
		was := d
		if d.State != tenancy.Deleted {
			if dryRun || !yes {
				if err := tellDeletion(p, d); err != nil {
					return err
				}
			}
			if dryRun {
				fmt.Fprintln(p.stdout, "dry run: nothing was changed")
				return nil
			}
			if err := p.confirm(yes, args[0], wait); err != nil {
				return err
			}
		}
		if err := writable(receipt); err != nil {
			return err
		}
		by := tenancy.Actor{Type: tenancy.ByOperator}
		if wait > 0 {
			d, err = pl.provision.DeleteLater(ctx, by, t, wait)
		} else {
			d, err = pl.provision.Delete(ctx, by, t)
		}
		if err != nil {
			return err
		}
		if d.State == tenancy.Deleting {
			fmt.Fprintf(p.stdout, "%s will be deleted after %s\n", d.Slug, d.After.Format(time.RFC3339))
			if was.State == tenancy.Deleting {
				fmt.Fprintln(p.stdout, "It was to be deleted then already; for another time restore it first.")
			}
			return nil
		}
		fmt.Fprintf(p.stdout, "%s (%s) is deleted\n", d.Slug, d.Tenant)
		if receipt != "" {
			return os.WriteFile(receipt, []byte(d.Receipt+"\n"), 0o644) // it is made to be shown
		}
		fmt.Fprintln(p.stdout, d.Receipt)
		return nil
	})
	return c
}

// graceOfDeletion reads a time such as 7d or 36h.
func graceOfDeletion(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 || d > 365*24*time.Hour {
		return 0, fmt.Errorf("grace %q must be a time of at most a year such as 7d or 36h", text)
	}
	return d, nil
}

// confirm has the name of what will be gone typed again.
func (p process) confirm(yes bool, slug string, grace time.Duration) error {
	if yes {
		return nil
	}
	what := "This cannot be undone."
	if grace > 0 {
		what = "It answers nobody from now on; gatehouse tenant restore brings it back until its time is over."
	}
	fmt.Fprintf(p.stderr, "%s Type %s to delete it: ", what, slug)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(p.stderr) // no Enter has ended the line
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != slug {
		return errors.New("nothing was deleted (without a terminal give --yes)")
	}
	return nil
}

// writable refuses a file that cannot be written to, before there is something to write.
func writable(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--receipt: %w", err)
	}
	return f.Close()
}

// anyTenant finds a tenant by its slug, also one that is to be deleted or was.
func (p *platform) anyTenant(ctx context.Context, slug string) (id.Tenant, error) {
	s, err := tenancy.ParseSlug(slug)
	if err != nil {
		return id.Tenant{}, fmt.Errorf("%q: %w", slug, err)
	}
	t, err := p.provision.Lookup(ctx, s)
	if errors.Is(err, tenancy.ErrUnknown) {
		return t, fmt.Errorf("there is no tenant %q", slug)
	}
	return t, err
}

func tellDeletion(p process, d tenancy.Deletion) error {
	v := d.Inventory
	rows := [][]any{{"id", d.Tenant}, {"slug", d.Slug}, {"state", d.State}}
	if d.After != nil {
		rows = append(rows, []any{"to be deleted", d.After.Format(time.RFC3339)})
	}
	rows = append(rows, []any{"database", v.Database}, []any{"schema and role", v.Schema})
	for _, h := range v.Domains {
		rows = append(rows, []any{"domain", h})
	}
	for _, k := range v.Keys {
		rows = append(rows, []any{k.Purpose + " key", keyText(k)})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Rows)) {
		if n := v.Rows[name]; n > 0 {
			rows = append(rows, []any{"rows of " + name, n})
		}
	}
	return table(p, "WHAT\tWOULD BE GONE", rows)
}

// keyText names a key by its thumbprint, or by its version where it has no public half.
func keyText(k tenancy.InventoryKey) string {
	if k.KID == "" {
		return fmt.Sprintf("version %d", k.Version)
	}
	return strings.TrimSpace(fmt.Sprint(k.Algorithm, " ", k.KID))
}

func tenantRestore(p process) *cobra.Command {
	c := &cobra.Command{Use: "restore SLUG", Short: "Keep a tenant that is to be deleted", Args: exactly(1)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.anyTenant(ctx, args[0])
		if err != nil {
			return err
		}
		err = pl.provision.Restore(ctx, tenancy.Actor{Type: tenancy.ByOperator}, t)
		if errors.Is(err, tenancy.ErrUnknown) {
			return fmt.Errorf("%s is deleted for ever", args[0])
		}
		if err != nil {
			return err
		}
		found, err := pl.directory.Read(ctx, t)
		if err == nil {
			fmt.Fprintf(p.stdout, "%s is %s\n", found.Slug, found.State)
		}
		return err
	})
	return c
}

// tenantReceipt needs no platform, no database and no Vault: whoever has a receipt can run it anywhere.
func tenantReceipt(p process) *cobra.Command {
	c := &cobra.Command{Use: "receipt", Short: "Verify the receipt of a deletion"}
	verify := &cobra.Command{
		Use: "verify FILE", Short: "Verify the receipt of a deletion", Args: exactly(1),
		Long: "Verify the receipt of a deletion (- is standard input), as `gatehouse tenant delete` or the API gave it. Nothing but the\n" +
			"receipt and the platform tenant's public keys is needed; exit code 0 means that it holds. Give the keys from a place you\n" +
			"believe: the platform's /t/platform/.well-known/jwks.json, or a copy of it that you kept.",
	}
	var jwks string
	verify.Flags().StringVar(&jwks, "jwks", "", "file or https URL of the platform's public keys (http on this machine)")
	verify.RunE = func(c *cobra.Command, args []string) error {
		if jwks == "" {
			return errors.New("say whose signature is to be believed: --jwks FILE or URL")
		}
		text, err := readKeys(c.Context(), jwks)
		if err != nil {
			return fmt.Errorf("--jwks: %w", err)
		}
		keys, err := audit.ParseKeys(text)
		if err != nil {
			return fmt.Errorf("--jwks: %w", err)
		}
		jws, err := readReceipt(p, args[0])
		if err != nil {
			return err
		}
		says, kid, err := tenancy.VerifyReceipt(jws, keys)
		if err != nil {
			return fmt.Errorf("NOT verified: %w", err)
		}
		return tellReceipt(p, says, kid)
	}
	c.AddCommand(verify)
	return c
}

const maxReceipt = 1 << 20

// readReceipt takes a receipt by itself, or the answer of the API that holds it.
func readReceipt(p process, name string) (string, error) {
	from := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxReceipt))
	if err != nil {
		return "", err
	}
	var answer struct {
		Receipt string `json:"receipt"`
	}
	if json.Unmarshal(text, &answer) == nil {
		return answer.Receipt, nil
	}
	lines := strings.Fields(string(text))
	if len(lines) == 0 {
		return "", errors.New("NOT verified: the file is empty")
	}
	return lines[len(lines)-1], nil
}

func tellReceipt(p process, r tenancy.Receipt, kid string) error {
	fmt.Fprintf(p.stdout, "verified: tenant %s (%s) was destroyed\n", r.Tenant, r.Slug)
	rows := [][]any{{"shut", r.DeletedAt.Format(time.RFC3339)}, {"keys destroyed", r.KeysDestroyedAt.Format(time.RFC3339)},
		{"schema and role dropped", r.SchemaDroppedAt.Format(time.RFC3339)}, {"schema", r.Destroyed.Schema}, {"database", r.Destroyed.Database}}
	for _, k := range r.Destroyed.Keys {
		rows = append(rows, []any{k.Purpose + " key", keyText(k)})
	}
	var total int64
	for _, n := range r.Destroyed.Rows {
		total += n
	}
	rows = append(rows, []any{"rows", fmt.Sprintf("%d in %d tables", total, len(r.Destroyed.Rows))})
	if log := r.Destroyed.AuditLog; log != nil {
		rows = append(rows, []any{"audit log", fmt.Sprintf("%d entries, hash %s", log.Seq, log.Hash)})
	}
	rows = append(rows, []any{"signed by", "key " + kid})
	return table(p, "WHAT\tWHEN OR WHICH", rows)
}
