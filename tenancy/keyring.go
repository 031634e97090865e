package tenancy

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-id/gatehouse/internal/id"
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
	db     *DB
	cache  *lru.Cache[id.Tenant, ring]
	flight singleflight.Group
}

// ring is valid for the tenant's record it was read for: whoever changes keys touches the record afterwards, and the
// directory brings that to every replica.
type ring struct {
	stamp time.Time
	keys  *Keys
}

// NewKeyring makes a Keyring that remembers 20,000 tenants.
func NewKeyring(db *DB) *Keyring {
	return &Keyring{db: db, cache: newLRU[id.Tenant, ring](20_000, nil)}
}

// Of is the keys of a tenant. The result is shared and must not be changed.
func (k *Keyring) Of(ctx context.Context, t Tenant) (*Keys, error) {
	if r, ok := k.cache.Get(t.ID); ok && r.stamp.Equal(t.UpdatedAt) {
		return r.keys, nil
	}
	v, err, _ := k.flight.Do(t.ID.String()+t.UpdatedAt.String(), func() (any, error) {
		keys, err := k.read(context.WithoutCancel(ctx), t)
		if err == nil {
			k.cache.Add(t.ID, ring{t.UpdatedAt, keys})
		}
		return keys, err
	})
	if err != nil {
		return nil, err
	}
	return v.(*Keys), nil
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
