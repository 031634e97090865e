package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
)

func tenantExport(p process) *cobra.Command {
	var to string
	var recipients []string
	c := &cobra.Command{
		Use: "export SLUG --to FILE --recipient KEY", Short: "Write a tenant into a bundle, for another installation", Args: exactly(1),
		Long: "Write a tenant, as it is at this moment, into a file that only the holder of an age key can open, signed by the tenant's key.\n" +
			"The tenant is used meanwhile and stays. What is written to it later is not in the file: to lose nothing, suspend it before.\n\n" +
			"Make a key where the tenant goes to with age-keygen -o key.txt, and give its public half here.",
	}
	addFlags(c)
	c.Flags().StringVar(&to, "to", "", "`file` to be written; there must be none of that name")
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "age public `key` of who may open it; may be given more than once")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		if to == "" || len(recipients) == 0 {
			return errors.New("say where to, with --to FILE, and who may open it, with --recipient KEY")
		}
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		var m bundle.Manifest
		var kid string
		err = writeNew(to, func(f io.Writer) error {
			w, err := sealed(f, recipients)
			if err != nil {
				return err
			}
			if m, kid, err = pl.bundles.Export(ctx, tenancy.Actor{Type: tenancy.ByOperator}, t, w); err != nil {
				return err
			}
			return w.Close()
		})
		if err != nil {
			return fmt.Errorf("%s was not exported: %w", t.Slug, plain(err))
		}
		tellBundle(p, m, kid)
		if !m.Frozen {
			fmt.Fprintf(p.stdout, "what is written to %s from now on is not in it\n", t.Slug)
		}
		return nil
	})
	return c
}

func tenantImport(p process) *cobra.Command {
	var identity, discard string
	var o tenancy.ImportOptions
	c := &cobra.Command{
		Use: "import FILE --identity KEYFILE", Short: "Take in a tenant from a bundle", Args: cobra.MaximumNArgs(1),
		Long: "Take in a tenant from a bundle that another installation of this release has exported. Ids stay as they are; the tenant gets a\n" +
			"new signing key, and tokens signed by the old ones are verified until they expire. Its domains are to be proved again.\n\n" +
			"Passwords are peppered, refresh tokens and backup codes made, with a key of the tenant that never leaves Vault. Where Vault is\n" +
			"another one they are lost: say that you know with --lose-keys. Where Vault has the tenant's keys, because the installation it comes from used\n" +
			"the same one and is gone, all goes on with --keep-keys.\n\n" +
			"The tenant is active here, suspended or not where it comes from, unless --suspended is said.\n\n" +
			"An import that was interrupted is begun again by the same command, or taken back with\n" +
			"gatehouse tenant import --discard SLUG.",
	}
	addFlags(c)
	c.Flags().StringVar(&identity, "identity", "", "`file` with the age key that opens it")
	c.Flags().StringVar(&o.Database, "database", "", "name of the database it is put into (default: the one with most room)")
	c.Flags().StringVar(&o.KID, "signed-by", "", "thumbprint of the `key` that must have signed it, as the export printed it")
	c.Flags().BoolVar(&o.LoseKeys, "lose-keys", false, "agree that people choose passwords anew and sign in again")
	c.Flags().BoolVar(&o.Suspended, "suspended", false, "take it in suspended: gatehouse tenant suspend SLUG --resume lets its people in")
	c.Flags().BoolVar(&o.KeepKeys, "keep-keys", false, "go on with the keys that Vault has of it; the installation it comes from must be gone")
	c.Flags().StringVar(&discard, "discard", "", "take back what is left of an interrupted import of the tenant of this `slug`")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		switch {
		case discard != "" && len(args) == 0:
			return pl.discardImport(ctx, p, discard)
		case discard != "" || len(args) != 1:
			return fmt.Errorf("wanted is: %s", c.UseLine())
		case o.LoseKeys && o.KeepKeys:
			return errors.New("--lose-keys and --keep-keys exclude each other")
		}
		open, err := bundleFile(args[0], identity)
		if err != nil {
			return err
		}
		in, err := pl.bundles.Import(ctx, tenancy.Actor{Type: tenancy.ByOperator}, open, o)
		if err != nil {
			return fmt.Errorf("%s %w", args[0], ofBundle(err))
		}
		tellImported(p, in, o.Suspended)
		return nil
	})
	return c
}

// tenantBundle looks into a bundle. It needs no platform.
func tenantBundle(p process) *cobra.Command {
	var identity, kid string
	c := &cobra.Command{
		Use: "verify-bundle FILE --identity KEYFILE", Short: "Verify a bundle and say what is in it", Args: exactly(1),
		Long: "Verify that a bundle is whole and signed, and say what is in it. Nothing but the file and the age key is needed. The keys that\n" +
			"it is verified with are those it brings: that shows damage. That it comes from whom you think is shown by --signed-by.",
	}
	c.Flags().StringVar(&identity, "identity", "", "`file` with the age key that opens it")
	c.Flags().StringVar(&kid, "signed-by", "", "thumbprint of the `key` that must have signed it, as the export printed it")
	c.RunE = func(_ *cobra.Command, args []string) error {
		open, err := bundleFile(args[0], identity)
		if err != nil {
			return err
		}
		o, err := tenancy.OpenBundle(open)
		if err == nil && kid != "" && o.KID != kid {
			err = tenancy.ErrOtherSigner
		}
		if err != nil {
			return fmt.Errorf("NOT verified: %s %w", args[0], wrongOf(err))
		}
		tellBundle(p, o.Manifest, o.KID)
		return nil
	}
	return c
}

func (p *platform) discardImport(ctx context.Context, at process, slug string) error {
	s, err := tenancy.ParseSlug(slug)
	if err != nil {
		return fmt.Errorf("%q: %w", slug, err)
	}
	err = p.bundles.Discard(ctx, s)
	if errors.Is(err, tenancy.ErrUnknown) {
		return fmt.Errorf("no import of a tenant %q was begun and not ended", slug)
	}
	if err == nil {
		fmt.Fprintf(at.stdout, "nothing is left of the import of %s\n", s)
	}
	return err
}

// ofBundle says what is wrong with a bundle, as the end of a sentence that begins with the file, and what to do about it.
func ofBundle(err error) error {
	switch {
	case errors.Is(err, tenancy.ErrOtherKeys):
		return fmt.Errorf("%w: passwords, refresh tokens and backup codes of its people cannot be checked. Say --lose-keys to take it in without them", err)
	case errors.Is(err, tenancy.ErrSameKeys):
		return fmt.Errorf("%w: were the tenant deleted where it comes from, they would be destroyed. Say --keep-keys if that installation is gone", err)
	}
	if wrong := wrongOf(err); wrong != nil {
		return wrong
	}
	return fmt.Errorf("was not taken in: %w", plain(err))
}

// wrongOf is an error that says itself what is wrong with a bundle, nil if it does not.
func wrongOf(err error) error {
	for _, of := range []error{bundle.ErrNotBundle, bundle.ErrCutOff, bundle.ErrMalformed, bundle.ErrAltered, tenancy.ErrOtherSigner, tenancy.ErrHere, tenancy.ErrDiscarded} {
		if errors.Is(err, of) {
			return err
		}
	}
	return nil
}

// bundleFile opens a bundle with the age key in a file, each time it is called. Something that is not ours, cut off or altered comes
// out of age as such.
func bundleFile(name, identity string) (func() (io.ReadCloser, error), error) {
	if identity == "" {
		return nil, errors.New("say which key opens it, with --identity KEYFILE")
	}
	f, err := os.Open(identity)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	keys, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s holds no age key: %w", identity, err)
	}
	return func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		r, err := age.Decrypt(f, keys...)
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%w: %s", bundle.ErrNotBundle, strings.TrimPrefix(err.Error(), "age: "))
		}
		return struct {
			io.Reader
			io.Closer
		}{r, f}, nil
	}, nil
}

// writeNew writes a file that only its owner may read, under its name when it is whole and on the disk.
func writeNew(name string, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("there is a file %s already", name)
	}
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("an export to %s is under way or was interrupted: in the latter case remove %s", name, part)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, name)
}

func tellBundle(p process, m bundle.Manifest, kid string) {
	var rows int64
	for _, part := range m.Parts {
		if !strings.HasPrefix(part.Name, "opened ") {
			rows += part.Rows
		}
	}
	fmt.Fprintf(p.stdout, "%s (%s) of %s, as it was at %s\n%d users, %d rows in all, schema version %d\nsigned by %s\n",
		m.Tenant.Slug, m.Tenant.ID, m.Issuer, m.ExportedAt.Format(time.RFC3339), m.Rows("users"), rows, m.SchemaVersion, kid)
}

func tellImported(p process, in tenancy.Imported, suspended bool) {
	tellBundle(p, in.Manifest, in.KID)
	state := tenancy.Active
	if suspended {
		state = tenancy.Suspended
	}
	fmt.Fprintf(p.stdout, "it lives in %s now and is %s; its issuer is %s\n", in.Database, state, in.Issuer)
	if in.Issuer != in.Manifest.Issuer {
		fmt.Fprintf(p.stdout, "it was %s: back ends must be told, or prove the domain here\n", in.Manifest.Issuer)
	}
	if n := len(in.Domains); n > 0 {
		fmt.Fprintf(p.stdout, "domains to be proved again: %d\n", n)
	}
	if in.Lost != nil {
		fmt.Fprintf(p.stdout, "%d people choose a password anew by mail, %d sessions end with their access tokens, %d backup codes are gone\n",
			in.Lost["passwords"], in.Lost["sessions"], in.Lost["backup codes"])
	}
}
