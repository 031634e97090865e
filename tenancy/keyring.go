package tenancy

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Keys are a tenant's signing keys as the public may know them: those that are published, active or retiring.
type Keys struct {
	Active ActiveKey       // zero between the revocation of a key and the making of the next; see Signer
	Public PublicKeys      // the active one included
	JWKS   json.RawMessage // RFC 7517 section 5
	// Algorithms are those of Public, the active key's first.
	Algorithms []custody.Algorithm
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

// PublicKeys are a tenant's, of which there are one to three. They are kept in memory for many tenants, and a map takes as much as eight.
type PublicKeys []PublicKey

// PublicKey is a VerificationKey and its name.
type PublicKey struct {
	KID string
	VerificationKey
}

// ByKID is the key of that name.
func (p PublicKeys) ByKID(kid string) (VerificationKey, bool) {
	for _, k := range p {
		if k.KID == kid {
			return k.VerificationKey, true
		}
	}
	return VerificationKey{}, false
}

// Signer is the key to sign with now. 503 while there is none: the active one was revoked while custody could not make
// another.
func (k *Keys) Signer() (ActiveKey, error) {
	if k.Active.KID == "" {
		return ActiveKey{}, problem.Unavailable(2*time.Second, errors.New("tenancy: the tenant's signing key was revoked, and there is no other yet"))
	}
	return k.Active, nil
}

// Keyring knows the public keys of tenants. They are read from the tenant's schema, so discovery, JWKS and the check
// of a token need no Vault.
//
// Keys are read again when a change of them is announced, and every half a minute, unless [Keyring.Watch] has found out in that
// time that they did not change: a revoked key must be dead everywhere within a minute, also at a replica to which an
// announcement got lost.
type Keyring struct {
	db  *DB
	now func() time.Time
	*PerTenant[*Keys]

	watch struct {
		last  time.Time // of the database, when it answered last; Watch's own
		asked atomic.Pointer[time.Time]
	}
}

// keyringTrust is how long what was read of a tenant's keys is used unasked.
const keyringTrust = 30 * time.Second

// NewKeyring makes a Keyring.
func NewKeyring(db *DB, now func() time.Time) *Keyring {
	k := &Keyring{db: db, now: now}
	k.PerTenant = NewPerTenant(k.read).Within(keyringTrust, now).Unless(k.unchanged)
	return k
}

func (k *Keyring) all(ctx context.Context, t Tenant) (stored signingKeys, err error) {
	err = k.db.InBatch(ctx, t, func(b *Batch) { readSigningKeys(b, &stored) })
	return stored, err
}

// History is every key the tenant ever signed with, as JWKs, oldest first.
func (k *Keyring) History(ctx context.Context, t Tenant) ([]json.RawMessage, error) {
	stored, err := k.all(ctx, t)
	if err != nil {
		return nil, err
	}
	jwks := make([]json.RawMessage, len(stored))
	for i, s := range stored {
		jwks[i] = json.RawMessage(s.JWK)
	}
	return jwks, nil
}

func (k *Keyring) read(ctx context.Context, t Tenant) (*Keys, error) {
	stored, err := k.all(ctx, t)
	if err != nil {
		return nil, err
	}
	keys := &Keys{}
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{[]json.RawMessage{}}
	for _, s := range stored {
		if !s.State.told() {
			continue
		}
		kid, alg, public, err := custody.ParseJWK([]byte(s.JWK))
		if err != nil {
			return nil, fmt.Errorf("tenancy: stored key %s of %s: %w", s.KID, t.ID, err)
		}
		if kid != s.KID || alg != s.Algorithm {
			return nil, fmt.Errorf("tenancy: stored key %s of %s is filed under the wrong name", s.KID, t.ID)
		}
		keys.Public = append(keys.Public, PublicKey{kid, VerificationKey{alg, public}})
		set.Keys = append(set.Keys, json.RawMessage(s.JWK))
		if s.State == KeyActive {
			keys.Active = ActiveKey{kid, custody.SigningKey{Version: s.Version, Algorithm: alg}}
		}
	}
	keys.Algorithms = algorithmsOf(keys)
	keys.JWKS, err = json.Marshal(set)
	return keys, err
}

func algorithmsOf(keys *Keys) []custody.Algorithm {
	all := []custody.Algorithm{}
	there := map[custody.Algorithm]bool{keys.Active.Algorithm: keys.Active.KID != ""}
	for _, k := range keys.Public {
		there[k.Algorithm] = true
	}
	for _, a := range []custody.Algorithm{keys.Active.Algorithm, custody.ES256, custody.EdDSA, custody.RS256} {
		if there[a] {
			all = append(all, a)
			delete(there, a)
		}
	}
	return all
}
