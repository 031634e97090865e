package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func keyList(p process) *cobra.Command {
	var jwks bool
	c := &cobra.Command{
		Use: "list SLUG", Short: "List a tenant's signing keys", Args: exactly(1),
		Long: "List a tenant's signing keys, oldest first, with what becomes of each and when.\n\nWith --jwks it prints all of them as a JWKS, those that verifiers are not told of any more\n" +
			"included: that is what gatehouse audit verify needs for an audit log older than the newest key.",
	}
	addFlags(c)
	c.Flags().BoolVar(&jwks, "jwks", false, "print every key the tenant ever had as a JWKS")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		if jwks {
			all, err := pl.keyring.History(ctx, t)
			if err != nil {
				return err
			}
			return json.NewEncoder(p.stdout).Encode(map[string]any{"keys": all})
		}
		keys, err := pl.rotator.List(ctx, t)
		if err != nil {
			return err
		}
		rows := make([][]any, len(keys))
		for i, k := range keys {
			rows[i] = []any{k.KID, k.Algorithm, k.State, k.Since.Format(time.RFC3339), future(k, keys)}
		}
		return table(p, "KID\tALGORITHM\tSTATE\tSINCE\tNEXT", rows)
	})
	return c
}

// future says what becomes of a key by itself: the one that signs retires when another is its turn.
func future(k tenancy.SigningKeyRecord, all []tenancy.SigningKeyRecord) string {
	if k.State == tenancy.KeyActive {
		for _, next := range all {
			if next.State == tenancy.KeyPublished && next.DueAt != nil {
				return fmt.Sprintf("%s at %s", tenancy.KeyRetiring, next.DueAt.Format(time.RFC3339))
			}
		}
	}
	if k.DueAt == nil {
		return "-"
	}
	becomes := map[tenancy.KeyState]tenancy.KeyState{tenancy.KeyPublished: tenancy.KeyActive, tenancy.KeyRetiring: tenancy.KeyRetired}
	return fmt.Sprintf("%s at %s", becomes[k.State], k.DueAt.Format(time.RFC3339))
}

func keyRotate(p process) *cobra.Command {
	var algorithm string
	c := &cobra.Command{
		Use: "rotate SLUG", Short: "Begin to replace a tenant's signing key", Args: exactly(1),
		Long: "Begin to replace a tenant's signing key. The next key is published now and signs in ten minutes; the one before stays\n" +
			"published until what it signed has expired. The running servers take these steps: this command does not wait for them.\n\n" +
			"There is no way to use the next key now: verifiers keep public keys for five minutes, and those that have not fetched it\n" +
			"would refuse valid tokens. For a key that must not be trusted any more there is gatehouse key revoke, which accepts that.",
	}
	addFlags(c)
	c.Flags().StringVar(&algorithm, "algorithm", "", "algorithm of the next key: ES256, EdDSA or RS256 (default: as it is)")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		k, err := pl.rotator.Rotate(ctx, t, tenancy.Actor{Type: tenancy.ByOperator}, custody.Algorithm(algorithm))
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "key        %s\nalgorithm  %s\npublished  %s\nsigns from %s\n", k.KID, k.Algorithm, k.Since.Format(time.RFC3339), k.DueAt.Format(time.RFC3339))
		return nil
	})
	return c
}

func keyRevoke(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "revoke SLUG KID", Short: "End a signing key at once", Args: exactly(2),
		Long: "End a signing key at once: it leaves the public keys, and access tokens it signed are refused at every server within a\n" +
			"minute. Sessions go on: their next refresh is signed by the next key. Where the key was the one that signs, the next one\n" +
			"signs at once, without the time in which verifiers fetch it.",
	}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		before, err := pl.rotator.List(ctx, t)
		if err != nil {
			return err
		}
		k, err := pl.rotator.Revoke(ctx, t, tenancy.Actor{Type: tenancy.ByOperator}, args[1])
		if errors.Is(err, tenancy.ErrUnknown) {
			return fmt.Errorf("%s has no key %q: see gatehouse key list %s", t.Slug, args[1], t.Slug)
		}
		if err != nil {
			return fmt.Errorf("%w\nThe key may be revoked already while there is no other to sign with: the servers try again, and so may you", plain(err))
		}
		after, err := pl.rotator.List(ctx, t)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "revoked  %s\n", k.KID)
		if was, is := signing(before), signing(after); was != is {
			fmt.Fprintf(p.stdout, "signs    %s\n\nThe key that signs now was not published for its time: verifiers that keep public keys may refuse new\ntokens, and accept those of the revoked key, for up to %d minutes.\n",
				is, int(tenancy.JWKSMaxAge/time.Minute))
		}
		return nil
	})
	return c
}

func signing(keys []tenancy.SigningKeyRecord) string {
	for _, k := range keys {
		if k.State == tenancy.KeyActive {
			return k.KID
		}
	}
	return ""
}
