package custodytest

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync"
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

// testSignVersions makes a second key of each algorithm, then one of each other algorithm: all go on signing.
func testSignVersions(t *testing.T, f fixture) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			tenant := f.tenant(t, alg)
			next := append([]custody.Algorithm{alg}, algorithms...)
			for i, a := range next {
				k := custody.SigningKey{Version: i + 2, Algorithm: a}
				made := must(f.AddSigning(t.Context(), tenant, k))(t)
				again := must(f.AddSigning(t.Context(), tenant, k))(t)
				if made.Version != k.Version || made.Algorithm != a || again.KeyID() != made.KeyID() {
					t.Fatalf("AddSigning(%+v) = %+v, and again %+v", k, made, again)
				}
			}
			keys := must(f.PublicKeys(t.Context(), tenant))(t)
			if len(keys) != len(next)+1 {
				t.Fatalf("PublicKeys = %+v, want %d", keys, len(next)+1)
			}
			for i, k := range keys {
				if k.Version != i+1 || i > 0 && (k.Algorithm != next[i-1] || k.KeyID() == keys[i-1].KeyID()) {
					t.Errorf("key %d is %+v", i, k)
				}
				verify(t, f.token(t.Context(), t, tenant, k), k)
			}
		})
	}
}

func testAddSigningRefuses(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	for version, want := range map[int]error{-1: custody.ErrNoKey, 0: custody.ErrNoKey, 3: custody.ErrNoKey, 1 << 30: custody.ErrNoKey} {
		_, err := f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: version, Algorithm: custody.ES256})
		wantError(t, "AddSigning out of turn", err, want)
	}
	_, err := f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: 1, Algorithm: custody.EdDSA})
	wantError(t, "AddSigning of a version there is", err, custody.ErrOtherAlgorithm)
	if _, err := f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: 2, Algorithm: "HS256"}); err == nil {
		t.Error("AddSigning with HS256 succeeded")
	}
	if keys := must(f.PublicKeys(t.Context(), tenant))(t); len(keys) != 1 {
		t.Errorf("what was refused left keys: %+v", keys)
	}
}

// testAddSigningConcurrently: who race for a version get one key.
func testAddSigningConcurrently(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	var all sync.WaitGroup
	kids := make([]string, 8)
	for i := range kids {
		all.Go(func() {
			kids[i] = must(f.AddSigning(t.Context(), tenant, custody.SigningKey{Version: 2, Algorithm: custody.EdDSA}))(t).KeyID()
		})
	}
	all.Wait()
	if slices.Sort(kids); kids[0] != kids[len(kids)-1] {
		t.Errorf("one version is several keys: %v", kids)
	}
}

func testSignRefuses(t *testing.T, f fixture) {
	tenant := f.tenant(t, custody.ES256)
	for _, version := range []int{-1, 0, 2, 1 << 30} {
		_, err := f.Sign(t.Context(), tenant, custody.SigningKey{Version: version, Algorithm: custody.ES256}, []byte("x"))
		wantError(t, "Sign with an unknown version", err, custody.ErrNoKey)
	}
}
