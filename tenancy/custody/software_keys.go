package custody

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// keyFile is what a tenant's file holds, before it is encrypted: version n is the element n-1.
type keyFile struct {
	Algorithm Algorithm // of the first signing key
	Signing   [][]byte  // PKCS #8 (RFC 5208)
	Sealing   [][]byte  // 32 random bytes
}

// keys is a keyFile made ready for use. It is immutable.
type keys struct {
	signers []crypto.Signer
	sealing []sealingKey
}

type sealingKey struct {
	box cipher.AEAD
	mac []byte
}

// addSigning makes another signing key.
func (k *keyFile) addSigning(alg Algorithm) error {
	private, err := generate(alg)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	k.Signing = append(k.Signing, der)
	if k.Algorithm == "" {
		k.Algorithm = alg
	}
	return err
}

// addSealing makes another version of the sealing key.
func (k *keyFile) addSealing() error {
	secret := make([]byte, 32)
	_, err := rand.Read(secret)
	k.Sealing = append(k.Sealing, secret)
	return err
}

// algorithmOf is the one algorithm a key of ours is for.
func algorithmOf(k crypto.Signer) Algorithm {
	switch k.(type) {
	case *ecdsa.PrivateKey:
		return ES256
	case ed25519.PrivateKey:
		return EdDSA
	}
	return RS256
}

func generate(alg Algorithm) (private any, err error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("custody: no algorithm %q", alg)
}

func (k *keyFile) ready() (*keys, error) {
	out := &keys{}
	for _, der := range k.Signing {
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, err
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, errors.New("a signing key cannot sign")
		}
		out.signers = append(out.signers, signer)
	}
	for _, secret := range k.Sealing {
		key, err := newSealingKey(secret)
		if err != nil {
			return nil, err
		}
		out.sealing = append(out.sealing, key)
	}
	if len(out.signers) == 0 || len(out.sealing) == 0 {
		return nil, errors.New("a key is missing")
	}
	return out, nil
}

// newSealingKey derives one key for each use of the secret: no key serves two algorithms.
func newSealingKey(secret []byte) (k sealingKey, err error) {
	if k.mac, err = hkdf.Expand(sha256.New, secret, "gatehouse hmac", 32); err != nil {
		return k, err
	}
	seal, err := hkdf.Expand(sha256.New, secret, "gatehouse seal", 32)
	if err != nil {
		return k, err
	}
	k.box, err = newBox(seal)
	return k, err
}

// newBox is AES-256-GCM with a random nonce in front of each result.
func newBox(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
