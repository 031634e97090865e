package custody_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// TestThumbprintVectors: RFC 7638 section 3.1 and RFC 8037 appendix A.3.
func TestThumbprintVectors(t *testing.T) {
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP" +
		"ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd" +
		"AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]custody.PublicKey{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": {Algorithm: custody.RS256, Key: &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": {Algorithm: custody.EdDSA, Key: ed25519.PublicKey(x)},
	} {
		if got := key.KeyID(); got != want {
			t.Errorf("%s: KeyID() = %q, want %q", key.Algorithm, got, want)
		}
	}
}

// TestParseJWKRefuses: what is stored is only ever what JWK wrote; anything else is a mistake or a manipulation.
func TestParseJWKRefuses(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, err := custody.PublicKey{Version: 1, Algorithm: custody.ES256, Key: &private.PublicKey}.JWK()
	if err != nil {
		t.Fatal(err)
	}
	kid, alg, key, err := custody.ParseJWK(good)
	if err != nil || alg != custody.ES256 || !private.PublicKey.Equal(key) || len(kid) != 43 {
		t.Fatalf("ParseJWK(%s) = %q, %q, %v, %v", good, kid, alg, key, err)
	}
	change := func(f func(map[string]any)) string {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		f(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, bad := range map[string]string{
		"empty":             ``,
		"not JSON":          `{`,
		"other kid":         change(func(m map[string]any) { m["kid"] = strings.Repeat("A", 43) }),
		"no kid":            change(func(m map[string]any) { delete(m, "kid") }),
		"other algorithm":   change(func(m map[string]any) { m["alg"] = "RS256" }),
		"alg none":          change(func(m map[string]any) { m["alg"] = "none" }),
		"for encryption":    change(func(m map[string]any) { m["use"] = "enc" }),
		"private":           change(func(m map[string]any) { m["d"] = m["x"] }),
		"not on the curve":  change(func(m map[string]any) { m["y"] = m["x"] }),
		"other curve":       change(func(m map[string]any) { m["crv"] = "P-384" }),
		"short coordinate":  change(func(m map[string]any) { m["x"] = "AA" }),
		"symmetric":         `{"kty":"oct","k":"AA","alg":"HS256","use":"sig"}`,
		"RSA of 1,024 bits": `{"kty":"RSA","alg":"RS256","use":"sig","e":"AQAB","n":"` + strings.Repeat("_", 171) + `"}`,
	} {
		if _, _, _, err := custody.ParseJWK([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzParseJWK: whatever is accepted is a key that JWK writes, under the name it was accepted with.
func FuzzParseJWK(f *testing.F) {
	f.Add([]byte(`{"alg":"EdDSA","crv":"Ed25519","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	f.Add([]byte(`{"alg":"ES256","crv":"P-256","kty":"EC","use":"sig","x":"AA","y":"AA"}`))
	f.Add([]byte(`{"alg":"RS256","kty":"RSA","use":"sig","n":"","e":"AQAB"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		kid, alg, key, err := custody.ParseJWK(b)
		if err != nil {
			return
		}
		again, err := custody.PublicKey{Algorithm: alg, Key: key}.JWK()
		if err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
		if kid2, alg2, _, err := custody.ParseJWK(again); err != nil || kid2 != kid || alg2 != alg {
			t.Fatalf("written as %s: %q %q %v, want %q %q", again, kid2, alg2, err, kid, alg)
		}
	})
}
