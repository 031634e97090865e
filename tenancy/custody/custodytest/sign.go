package custodytest

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

var algorithms = []custody.Algorithm{custody.ES256, custody.EdDSA, custody.RS256}

// testSign has two libraries that are not ours verify what was signed: one with the public key, one with the JWK.
func testSign(t *testing.T, f fixture) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tenant := f.tenant(t, alg)
			keys := must(f.PublicKeys(t.Context(), tenant))(t)
			if len(keys) != 1 || keys[0].Version != 1 || keys[0].Algorithm != alg {
				t.Fatalf("PublicKeys = %+v, want version 1 of %s", keys, alg)
			}
			// Several, for a signature whose first byte happens to be zero must keep its length.
			for range 20 {
				verify(t, f.token(t.Context(), t, tenant, keys[0]), keys[0])
			}
		})
	}
}

// token makes a compact JWS (RFC 7515 section 3.1) that the custodian signs.
func (f fixture) token(ctx context.Context, t *testing.T, tenant id.Tenant, k custody.PublicKey) string {
	t.Helper()
	header := must(json.Marshal(map[string]string{"alg": string(k.Algorithm), "kid": k.KeyID()}))(t)
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`))
	signature := must(f.Sign(ctx, tenant, custody.SigningKey{Version: k.Version, Algorithm: k.Algorithm}, []byte(input)))(t)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func verify(t *testing.T, token string, k custody.PublicKey) {
	t.Helper()
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return k.Key, nil }, jwt.WithValidMethods([]string{string(k.Algorithm)}))
	if err != nil {
		t.Errorf("golang-jwt: %v", err)
	}
	raw := must(k.JWK())(t)
	var public jose.JSONWebKey
	if err := json.Unmarshal(raw, &public); err != nil {
		t.Fatalf("go-jose does not read %s: %v", raw, err)
	}
	if public.KeyID != k.KeyID() || public.Algorithm != string(k.Algorithm) || public.Use != "sig" || !public.IsPublic() {
		t.Errorf("go-jose reads the JWK as %+v", public)
	}
	signed := must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.Algorithm)}))(t)
	if _, err := signed.Verify(public); err != nil {
		t.Errorf("go-jose: %v", err)
	}
	kid, alg, key, err := custody.ParseJWK(raw)
	if err != nil || kid != k.KeyID() || alg != k.Algorithm || !k.Key.(publicKey).Equal(key) {
		t.Errorf("ParseJWK(%s) = %q, %q, %v, %v", raw, kid, alg, key, err)
	}
}

// publicKey is what every public key of the standard library is.
type publicKey interface{ Equal(crypto.PublicKey) bool }

func testSignVersions(t *testing.T, f fixture) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tenant := f.tenant(t, alg)
			if version := must(f.Rotate(t.Context(), tenant, custody.Signing))(t); version != 2 {
				t.Fatalf("Rotate = %d, want 2", version)
			}
			keys := must(f.PublicKeys(t.Context(), tenant))(t)
			if len(keys) != 2 || keys[0].Version != 1 || keys[1].Version != 2 || keys[1].Algorithm != alg || keys[0].KeyID() == keys[1].KeyID() {
				t.Fatalf("PublicKeys = %+v, want two keys, oldest first", keys)
			}
			for _, k := range keys {
				verify(t, f.token(t.Context(), t, tenant, k), k)
			}
		})
	}
}

func testSignRefuses(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	for _, version := range []int{-1, 0, 2, 1 << 30} {
		_, err := f.Sign(t.Context(), tenant, custody.SigningKey{Version: version, Algorithm: custody.ES256}, []byte("x"))
		wantError(t, "Sign with an unknown version", err, custody.ErrNoKey)
	}
}
