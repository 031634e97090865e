package custody

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// PublicKey is the public half of one version of a signing key: *ecdsa.PublicKey, ed25519.PublicKey or
// *rsa.PublicKey, as its algorithm says.
type PublicKey struct {
	Version   int
	Algorithm Algorithm
	Key       crypto.PublicKey
}

// jwk has its members in the order RFC 7638 section 3.2 wants them (lexicographic), so that one struct serves both
// the thumbprint, which takes the required members only, and the published key.
type jwk struct {
	Alg Algorithm `json:"alg,omitempty"`
	Crv string    `json:"crv,omitempty"`
	E   string    `json:"e,omitempty"`
	Kid string    `json:"kid,omitempty"`
	Kty string    `json:"kty"`
	N   string    `json:"n,omitempty"`
	Use string    `json:"use,omitempty"`
	X   string    `json:"x,omitempty"`
	Y   string    `json:"y,omitempty"`
}

var (
	b64        = base64.RawURLEncoding.Strict()
	errBadKey  = errors.New("custody: not a public key of its algorithm")
	errPrivate = errors.New("custody: the JWK holds a private key")
)

// KeyID is the key's name in token headers and JWKS: its thumbprint (RFC 7638, with SHA-256). It depends on nothing
// but the key, so no two keys share one and no table is needed to tell it. Empty if the key is not of its algorithm.
func (p PublicKey) KeyID() string {
	k, err := p.required()
	if err != nil {
		return ""
	}
	return k.thumbprint()
}

// JWK is the key as it is stored and published (RFC 7517; RFC 8037 for Ed25519): with kid, alg and use "sig".
func (p PublicKey) JWK() (json.RawMessage, error) {
	k, err := p.required()
	if err != nil {
		return nil, err
	}
	k.Kid, k.Alg, k.Use = k.thumbprint(), p.Algorithm, "sig"
	return json.Marshal(k)
}

// required is the JWK with only the members a thumbprint is made of.
func (p PublicKey) required() (jwk, error) {
	switch key := p.Key.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4 || X || Y, each 32 bytes: RFC 7518 section 6.2.1.2 keeps the leading zeros
		if err != nil || p.Algorithm != ES256 || key.Curve != elliptic.P256() {
			return jwk{}, errBadKey
		}
		return jwk{Kty: "EC", Crv: "P-256", X: b64.EncodeToString(point[1:33]), Y: b64.EncodeToString(point[33:])}, nil
	case ed25519.PublicKey:
		if p.Algorithm != EdDSA || len(key) != ed25519.PublicKeySize {
			return jwk{}, errBadKey
		}
		return jwk{Kty: "OKP", Crv: "Ed25519", X: b64.EncodeToString(key)}, nil
	case *rsa.PublicKey:
		if p.Algorithm != RS256 || key.N.BitLen() < 2048 {
			return jwk{}, errBadKey
		}
		e := big.NewInt(int64(key.E)).Bytes()
		return jwk{Kty: "RSA", N: b64.EncodeToString(key.N.Bytes()), E: b64.EncodeToString(e)}, nil
	}
	return jwk{}, errBadKey
}

func (k jwk) thumbprint() string {
	k.Alg, k.Kid, k.Use = "", "", ""
	canonical, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(canonical)
	return b64.EncodeToString(sum[:])
}

// ParseJWK reads back what JWK returned. It refuses what JWK would not have written: a kid that is not the
// thumbprint, an algorithm that is not the key's, a weak key, a private key.
func ParseJWK(b []byte) (kid string, alg Algorithm, key crypto.PublicKey, err error) {
	var k struct {
		jwk
		D json.RawMessage `json:"d"`
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return "", "", nil, fmt.Errorf("custody: JWK: %w", err)
	}
	if k.D != nil {
		return "", "", nil, errPrivate
	}
	if key, err = k.key(); err != nil {
		return "", "", nil, err
	}
	p := PublicKey{Algorithm: k.Alg, Key: key}
	want, err := p.required()
	if err != nil {
		return "", "", nil, err
	}
	if k.Use != "sig" || k.Kid != want.thumbprint() {
		return "", "", nil, errors.New("custody: JWK: kid is not the key's thumbprint, or use is not sig")
	}
	return k.Kid, k.Alg, key, nil
}

func (k jwk) key() (crypto.PublicKey, error) {
	var fields [4][]byte
	for i, s := range [4]string{k.X, k.Y, k.N, k.E} {
		var err error
		if fields[i], err = b64.DecodeString(s); err != nil {
			return nil, fmt.Errorf("custody: JWK: %w", err)
		}
	}
	x, y, n, e := fields[0], fields[1], fields[2], new(big.Int).SetBytes(fields[3])
	switch {
	case k.Kty == "EC" && k.Crv == "P-256" && len(x) == 32 && len(y) == 32:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	case k.Kty == "OKP" && k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	case k.Kty == "RSA" && e.BitLen() > 1 && e.BitLen() < 32:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}, nil
	}
	return nil, errBadKey
}
