package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

func auditCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Export the audit log of a tenant, and verify an exported file"}
	c.AddCommand(auditExport(p), auditVerify(p))
	return c
}

func auditExport(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "export SLUG", Short: "Write the audit log of a tenant to standard output", Args: exactly(1),
		Long: "Write the audit log of a tenant to standard output, with the seals and public keys by which `gatehouse audit verify`\n" +
			"checks it. With --from and --to only the entries of a time, and those after it up to the next seal.",
	}
	var from, to string
	addFlags(c)
	c.Flags().StringVar(&from, "from", "", "first moment, as in 2026-01-31T00:00:00Z (default: the beginning)")
	c.Flags().StringVar(&to, "to", "", "first moment that is no longer wanted (default: now)")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		var bounds [2]time.Time
		for i, s := range []string{from, to} {
			if bounds[i], err = time.Parse(time.RFC3339, s); s != "" && err != nil {
				return fmt.Errorf("%q is not a time as in 2026-01-31T00:00:00Z", s)
			}
		}
		e, err := pl.audit.Prepare(ctx, t, bounds[0], bounds[1])
		if err != nil {
			return err
		}
		return e.Write(ctx, p.stdout)
	})
	return c
}

// auditVerify needs no platform, no database and no Vault: whoever has a file can run it anywhere.
func auditVerify(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "verify FILE", Short: "Verify an exported audit log", Args: exactly(1),
		Long: "Verify an exported audit log (- is standard input): the chain of hashes, that no entry is missing, and the signatures\n" +
			"of its seals. Nothing but the file and the keys is needed; exit code 0 means that it holds.\n\n" +
			"Give the tenant's public keys with --jwks, from a place you believe: the tenant's https://.../.well-known/jwks.json, or a\n" +
			"copy of it that you kept. With --trust-file-keys the keys that the file itself brings are taken: whoever can make a file\n" +
			"can put keys of their own in it, so this shows damage and no forgery.",
	}
	var jwks string
	var fileKeys bool
	c.Flags().StringVar(&jwks, "jwks", "", "file or https URL of the tenant's public keys (http on this machine)")
	c.Flags().BoolVar(&fileKeys, "trust-file-keys", false, "believe the keys that the file brings")
	c.RunE = func(c *cobra.Command, args []string) error {
		if (jwks == "") != fileKeys {
			return errors.New("say whose signatures are to be believed: either --jwks FILE or URL, or --trust-file-keys")
		}
		var trusted audit.Keys
		if jwks != "" {
			text, err := readKeys(c.Context(), jwks)
			if err != nil {
				return fmt.Errorf("--jwks: %w", err)
			}
			if trusted, err = audit.ParseKeys(text); err != nil {
				return fmt.Errorf("--jwks: %w", err)
			}
		}
		report, err := verifyFile(p, args[0], trusted)
		if err != nil {
			return fmt.Errorf("NOT verified: %w", err)
		}
		tell(p.stdout, report, fileKeys)
		return nil
	}
	return c
}

func verifyFile(p process, name string, trusted audit.Keys) (audit.Report, error) {
	if name == "-" {
		return audit.Verify(p.stdin, trusted)
	}
	f, err := os.Open(name)
	if err != nil {
		return audit.Report{}, err
	}
	defer func() { _ = f.Close() }()
	return audit.Verify(f, trusted)
}

const maxKeys = 1 << 20 // bytes of a JWKS; ours are some hundred for each key

// readKeys reads a JWKS from a file or by https. By http only from this machine: whoever stands in between could say which
// keys are believed.
func readKeys(ctx context.Context, from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return os.ReadFile(from)
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" && host != "127.0.0.1" && !strings.HasSuffix(host, ".localhost") {
		return nil, errors.New("keys are fetched by https")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Transport: ofThisMachine}).Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", u.Host, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxKeys))
}

// ofThisMachine finds names under .localhost on this machine, as browsers and curl do (RFC 6761 section 6.3); the resolvers of
// most machines do not.
var ofThisMachine = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}}

// tell says what was verified, and what that proves.
func tell(w io.Writer, r audit.Report, fileKeys bool) {
	if r.Last < r.First {
		fmt.Fprintf(w, "verified: the file holds no entries of tenant %s\n", r.Tenant)
		return
	}
	fmt.Fprintf(w, "verified: entries %d to %d of tenant %s, none missing, none altered\n", r.First, r.Last, r.Tenant)
	from := r.First
	for _, s := range r.Seals {
		what := "the head when it was exported"
		if s.Day != "" {
			what = "the end of " + s.Day
		}
		covers := fmt.Sprintf("entries %d to %d", from, s.Seq)
		if s.Seq < from {
			covers = "the same entries once more"
		}
		fmt.Fprintf(w, "  sealed at %s as %s: %s, key %s\n", s.Sealed.Format(time.RFC3339), what, covers, s.KID)
		from = s.Seq + 1
	}
	if r.First > 1 {
		fmt.Fprintf(w, "the file begins at entry %d: what was before is proved by an export that holds it\n", r.First)
	}
	if fileKeys {
		fmt.Fprintln(w, "NOTE: the keys are the file's own. This shows that it is undamaged, not that it is the tenant's: give --jwks for that.")
		return
	}
	fmt.Fprintln(w, "the keys that were given signed it: since a seal was made, nobody has changed what it covers")
}
