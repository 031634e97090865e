package tenancy

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Keys are a tenant's signing keys as the public may know them.
type Keys struct {
	Active ActiveKey
	Public map[string]VerificationKey // by kid, the active one included
	JWKS   json.RawMessage            // RFC 7517 section 5
}

// ActiveKey is the key new tokens are signed with.
type ActiveKey struct {
	KID string // RFC 7638 thumbprint
	custody.SigningKey
}

// VerificationKey verifies tokens of one kid, by its one algorithm and no other.
type VerificationKey struct {
	Algorithm custody.Algorithm
	Key       crypto.PublicKey
}

// Keyring knows the public keys of tenants. They are read from the tenant's schema, so discovery, JWKS and the check
// of a token need no Vault.
type Keyring struct {
	db *DB
	*PerTenant[*Keys]
}

// NewKeyring makes a Keyring.
func NewKeyring(db *DB) *Keyring {
	k := &Keyring{db: db}
	k.PerTenant = NewPerTenant(k.read)
	return k
}

func (k *Keyring) read(ctx context.Context, t Tenant) (*Keys, error) {
	var stored []storedKey
	err := k.db.InBatch(ctx, t, func(b *Batch) { readSigningKeys(b, &stored) })
	if err != nil {
		return nil, err
	}
	keys := &Keys{Public: map[string]VerificationKey{}}
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{[]json.RawMessage{}}
	for _, s := range stored {
		kid, alg, public, err := custody.ParseJWK([]byte(s.JWK))
		if err != nil {
			return nil, fmt.Errorf("tenancy: stored key %s of %s: %w", s.KID, t.ID, err)
		}
		if kid != s.KID || alg != s.Algorithm {
			return nil, fmt.Errorf("tenancy: stored key %s of %s is filed under the wrong name", s.KID, t.ID)
		}
		keys.Public[kid] = VerificationKey{alg, public}
		set.Keys = append(set.Keys, json.RawMessage(s.JWK))
		if s.Active {
			keys.Active = ActiveKey{kid, custody.SigningKey{Version: s.Version, Algorithm: alg}}
		}
	}
	if keys.Active.KID == "" {
		return nil, errors.New("tenancy: tenant " + t.ID.String() + " has no active signing key")
	}
	keys.JWKS, err = json.Marshal(set)
	return keys, err
}
