package custody

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// transitTypes are Vault's names for the keys.
var transitTypes = map[Algorithm]string{ES256: "ecdsa-p256", EdDSA: "ed25519", RS256: "rsa-3072"}

const transitSealing = "aes256-gcm96"

// transitKey is how Vault describes a key. Versions are objects for a signing key and times for a sealing key.
type transitKey struct {
	Type     string                     `json:"type"`
	Latest   int                        `json:"latest_version"`
	Versions map[string]json.RawMessage `json:"keys"`
}

func (v *Vault) manage(ctx context.Context, method, suffix string, t id.Tenant, p Purpose, in, out any) error {
	path := v.config.Mount + "/keys/" + keyName(t, p) + suffix
	return v.client.call(ctx, max(v.config.Timeout, keymasterTimeout), method, path, in, out)
}

func (v *Vault) describe(ctx context.Context, t id.Tenant, p Purpose) (transitKey, error) {
	var out struct {
		Data transitKey `json:"data"`
	}
	err := v.manage(ctx, http.MethodGet, "", t, p, nil, &out)
	return out.Data, err
}

// Create is Keymaster's.
func (v *Vault) Create(ctx context.Context, t id.Tenant, alg Algorithm) error {
	kind, ok := transitTypes[alg]
	if !ok {
		return fmt.Errorf("custody: no algorithm %q", alg)
	}
	if err := v.create(ctx, t, Signing, kind); err != nil {
		return err
	}
	return v.create(ctx, t, Sealing, transitSealing)
}

// create asks afterwards what there is: making a key that exists answers 200 whatever its type is.
func (v *Vault) create(ctx context.Context, t id.Tenant, p Purpose, kind string) error {
	in := struct {
		Type string `json:"type"`
	}{kind}
	if err := v.manage(ctx, http.MethodPost, "", t, p, in, nil); err != nil {
		return err
	}
	k, err := v.describe(ctx, t, p)
	if err == nil && k.Type != kind {
		err = fmt.Errorf("%w: %s of %s is %s, not %s", ErrOtherAlgorithm, p, t, k.Type, kind)
	}
	return err
}

// PublicKeys is Keymaster's.
func (v *Vault) PublicKeys(ctx context.Context, t id.Tenant) ([]PublicKey, error) {
	k, err := v.describe(ctx, t, Signing)
	if err != nil {
		return nil, err
	}
	var keys []PublicKey
	for version := 1; version <= k.Latest; version++ {
		raw, ok := k.Versions[strconv.Itoa(version)]
		if !ok {
			continue // an operator has raised min_decryption_version
		}
		alg, key, err := parseTransit(k.Type, raw)
		if err != nil {
			return nil, fmt.Errorf("custody: public key %d of %s: %w", version, t, err)
		}
		keys = append(keys, PublicKey{version, alg, key})
	}
	return keys, nil
}

func parseTransit(kind string, raw json.RawMessage) (Algorithm, crypto.PublicKey, error) {
	var version struct {
		PublicKey string `json:"public_key"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return "", nil, err
	}
	if kind == transitTypes[EdDSA] { // Ed25519 is bare base64, the others are PEM
		b, err := base64.StdEncoding.DecodeString(version.PublicKey)
		return EdDSA, ed25519.PublicKey(b), err
	}
	block, _ := pem.Decode([]byte(version.PublicKey))
	if block == nil {
		return "", nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", nil, err
	}
	switch key.(type) {
	case *ecdsa.PublicKey:
		return ES256, key, nil
	case *rsa.PublicKey:
		return RS256, key, nil
	}
	return "", nil, fmt.Errorf("unexpected type %s", kind)
}

// Rotate is Keymaster's.
func (v *Vault) Rotate(ctx context.Context, t id.Tenant, p Purpose) (int, error) {
	if err := v.manage(ctx, http.MethodPost, "/rotate", t, p, struct{}{}, nil); err != nil {
		return 0, err
	}
	k, err := v.describe(ctx, t, p)
	return k.Latest, err
}

// Destroy is Keymaster's. Vault deletes a key only after it was told that this key may be deleted.
func (v *Vault) Destroy(ctx context.Context, t id.Tenant) error {
	for _, p := range []Purpose{Signing, Sealing} {
		in := struct {
			Allowed bool `json:"deletion_allowed"`
		}{true}
		err := v.manage(ctx, http.MethodPost, "/config", t, p, in, nil)
		if err == nil {
			err = v.manage(ctx, http.MethodDelete, "", t, p, nil, nil)
		}
		if err != nil && !errors.Is(err, ErrNoKey) {
			return err
		}
	}
	return nil
}
