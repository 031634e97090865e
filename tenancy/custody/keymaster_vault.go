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

func (v *Vault) manage(ctx context.Context, method, key string, in, out any) error {
	return v.client.call(ctx, max(v.config.Timeout, keymasterTimeout), method, v.config.Mount+"/keys/"+key, in, out)
}

func (v *Vault) describe(ctx context.Context, key string) (transitKey, error) {
	var out struct {
		Data transitKey `json:"data"`
	}
	err := v.manage(ctx, http.MethodGet, key, nil, &out)
	return out.Data, err
}

// Create is Keymaster's.
func (v *Vault) Create(ctx context.Context, t id.Tenant, alg Algorithm) error {
	if _, err := v.AddSigning(ctx, t, SigningKey{Version: 1, Algorithm: alg}); err != nil {
		return err
	}
	_, err := v.create(ctx, sealingName(t), transitSealing)
	return err
}

// AddSigning is Keymaster's.
func (v *Vault) AddSigning(ctx context.Context, t id.Tenant, k SigningKey) (PublicKey, error) {
	kind, ok := transitTypes[k.Algorithm]
	if !ok {
		return PublicKey{}, fmt.Errorf("custody: no algorithm %q", k.Algorithm)
	}
	if k.Version < 1 {
		return PublicKey{}, ErrNoKey
	}
	if k.Version > 1 {
		if _, err := v.describe(ctx, signingName(t, k.Version-1)); err != nil {
			return PublicKey{}, err
		}
	}
	made, err := v.create(ctx, signingName(t, k.Version), kind)
	if err != nil {
		return PublicKey{}, err
	}
	return made.public(k.Version)
}

// create asks afterwards what there is: making a key that exists answers 200 whatever its type is.
func (v *Vault) create(ctx context.Context, key, kind string) (transitKey, error) {
	in := struct {
		Type string `json:"type"`
	}{kind}
	if err := v.manage(ctx, http.MethodPost, key, in, nil); err != nil {
		return transitKey{}, err
	}
	k, err := v.describe(ctx, key)
	if err == nil && k.Type != kind {
		err = fmt.Errorf("%w: %s is %s, not %s", ErrOtherAlgorithm, key, k.Type, kind)
	}
	return k, err
}

// PublicKeys is Keymaster's.
func (v *Vault) PublicKeys(ctx context.Context, t id.Tenant) (all []PublicKey, err error) {
	for version := 1; ; version++ {
		k, err := v.describe(ctx, signingName(t, version))
		if version > 1 && errors.Is(err, ErrNoKey) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		public, err := k.public(version)
		if err != nil {
			return nil, err
		}
		all = append(all, public)
	}
}

func (k transitKey) public(version int) (PublicKey, error) {
	raw, ok := k.Versions["1"]
	if !ok {
		return PublicKey{}, ErrNoKey // an operator has raised min_decryption_version
	}
	alg, key, err := parseTransit(k.Type, raw)
	if err != nil {
		return PublicKey{}, fmt.Errorf("custody: public key %d: %w", version, err)
	}
	return PublicKey{version, alg, key}, nil
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

// RotateSealing is Keymaster's.
func (v *Vault) RotateSealing(ctx context.Context, t id.Tenant) (int, error) {
	if err := v.manage(ctx, http.MethodPost, sealingName(t)+"/rotate", struct{}{}, nil); err != nil {
		return 0, err
	}
	return v.SealingVersion(ctx, t)
}

// SealingVersion is Keymaster's.
func (v *Vault) SealingVersion(ctx context.Context, t id.Tenant) (int, error) {
	k, err := v.describe(ctx, sealingName(t))
	return k.Latest, err
}

// Destroy is Keymaster's. The newest signing key goes first: there is none beyond one that is not there, so whoever goes on
// with what was interrupted finds all that is left.
func (v *Vault) Destroy(ctx context.Context, t id.Tenant) error {
	if err := v.destroy(ctx, sealingName(t)); err != nil {
		return err
	}
	signing, err := v.PublicKeys(ctx, t)
	if err != nil && !errors.Is(err, ErrNoKey) {
		return err
	}
	for version := len(signing); version >= 1; version-- {
		if err := v.destroy(ctx, signingName(t, version)); err != nil {
			return err
		}
	}
	return nil
}

// destroy deletes a key, if it is there. Vault does so only after it was told that this key may be deleted.
func (v *Vault) destroy(ctx context.Context, key string) error {
	in := struct {
		Allowed bool `json:"deletion_allowed"`
	}{true}
	err := v.manage(ctx, http.MethodPost, key+"/config", in, nil)
	if err == nil {
		err = v.manage(ctx, http.MethodDelete, key, nil, nil)
	}
	if errors.Is(err, ErrNoKey) {
		return nil
	}
	return err
}
