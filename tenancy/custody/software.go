package custody

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Software is the custodian of `gatehouse dev` where no Vault is: keys in files, encrypted under a key that lies in
// the same folder. That keeps them out of a careless copy of one file and out of nothing else: whoever reads the
// folder has the keys. It behaves as Vault does, and must not be used where it matters.
//
// Several processes may use one folder: writers take a file lock, readers see a file replaced in one step.
type Software struct {
	store *store
}

// OpenSoftware opens the folder, and makes it, with its key, if it is not there.
func OpenSoftware(dir string) (*Software, error) {
	s, err := openStore(dir)
	if err != nil {
		return nil, fmt.Errorf("custody: software keys in %s: %w", dir, err)
	}
	return &Software{s}, nil
}

// alive is the contract's answer to a context that has ended.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (s *Software) keys(ctx context.Context, t id.Tenant) (*keys, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	return s.store.load(t)
}

// Sign is Custodian's.
func (s *Software) Sign(ctx context.Context, t id.Tenant, k SigningKey, input []byte) ([]byte, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	if k.Version < 1 || k.Version > len(keys.signers) {
		return nil, ErrNoKey
	}
	if k.Algorithm != algorithmOf(keys.signers[k.Version-1]) {
		return nil, ErrOtherAlgorithm
	}
	digest := sha256.Sum256(input)
	switch key := keys.signers[k.Version-1].(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	}
	return nil, ErrNoKey
}

// HMAC is Custodian's.
func (s *Software) HMAC(ctx context.Context, t id.Tenant, version int, input []byte) ([]byte, int, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	if version == 0 {
		version = len(keys.sealing)
	}
	if version < 1 || version > len(keys.sealing) {
		return nil, 0, ErrNoKey
	}
	mac := hmac.New(sha256.New, keys.sealing[version-1].mac)
	mac.Write(input)
	return mac.Sum(nil), version, nil
}

// Seal is Custodian's.
func (s *Software) Seal(ctx context.Context, t id.Tenant, plaintext, associated []byte) (string, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return "", err
	}
	version := len(keys.sealing)
	box := keys.sealing[version-1].box.Seal(nil, nil, plaintext, associated) //nolint:gosec // NewGCMWithRandomNonce makes the nonce itself
	return fmt.Sprintf("software:v%d:%s", version, base64.StdEncoding.EncodeToString(box)), nil
}

// Open is Custodian's.
func (s *Software) Open(ctx context.Context, t id.Tenant, sealed string, associated []byte) ([]byte, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	rest, isOurs := strings.CutPrefix(sealed, "software:v")
	number, text, isWhole := strings.Cut(rest, ":")
	version, badNumber := strconv.Atoi(number)
	box, badText := base64.StdEncoding.DecodeString(text)
	if !isOurs || !isWhole || badNumber != nil || badText != nil || version < 1 || version > len(keys.sealing) {
		return nil, fmt.Errorf("%w: not in the format of Seal", ErrTampered)
	}
	plaintext, err := keys.sealing[version-1].box.Open(nil, nil, box, associated)
	if err != nil {
		return nil, ErrTampered
	}
	return plaintext, nil
}

// Ready is Custodian's.
func (s *Software) Ready(ctx context.Context) error { return alive(ctx) }

// Create is Keymaster's.
func (s *Software) Create(ctx context.Context, t id.Tenant, alg Algorithm) error {
	return s.store.change(ctx, t, func(k *keyFile) error {
		if len(k.Sealing) == 0 {
			return errors.Join(k.addSigning(alg), k.addSealing())
		}
		if k.Algorithm != alg {
			return fmt.Errorf("%w: %s is %s, not %s", ErrOtherAlgorithm, t, k.Algorithm, alg)
		}
		return errUnchanged
	})
}

// AddSigning is Keymaster's.
func (s *Software) AddSigning(ctx context.Context, t id.Tenant, add SigningKey) (PublicKey, error) {
	err := s.store.change(ctx, t, func(k *keyFile) error {
		switch {
		case add.Version < 1 || add.Version > len(k.Signing)+1 || len(k.Sealing) == 0:
			return ErrNoKey
		case add.Version <= len(k.Signing):
			return errUnchanged
		}
		return k.addSigning(add.Algorithm)
	})
	if err != nil {
		return PublicKey{}, err
	}
	all, err := s.PublicKeys(ctx, t)
	if err != nil {
		return PublicKey{}, err
	}
	made := all[add.Version-1]
	if made.Algorithm != add.Algorithm {
		return PublicKey{}, fmt.Errorf("%w: version %d is %s, not %s", ErrOtherAlgorithm, add.Version, made.Algorithm, add.Algorithm)
	}
	return made, nil
}

// PublicKeys is Keymaster's.
func (s *Software) PublicKeys(ctx context.Context, t id.Tenant) ([]PublicKey, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	public := make([]PublicKey, len(keys.signers))
	for i, signer := range keys.signers {
		public[i] = PublicKey{i + 1, algorithmOf(signer), signer.Public()}
	}
	return public, nil
}

// RotateSealing is Keymaster's.
func (s *Software) RotateSealing(ctx context.Context, t id.Tenant) (version int, err error) {
	err = s.store.change(ctx, t, func(k *keyFile) error {
		if len(k.Sealing) == 0 {
			return ErrNoKey
		}
		version = len(k.Sealing) + 1
		return k.addSealing()
	})
	return version, err
}

// SealingVersion is Keymaster's.
func (s *Software) SealingVersion(ctx context.Context, t id.Tenant) (int, error) {
	keys, err := s.keys(ctx, t)
	if err != nil {
		return 0, err
	}
	return len(keys.sealing), nil
}

// Destroy is Keymaster's.
func (s *Software) Destroy(ctx context.Context, t id.Tenant) error { return s.store.remove(ctx, t) }

var (
	_ Custodian = (*Software)(nil)
	_ Keymaster = (*Software)(nil)
)
