package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// What a second factor cannot do without: that the try is counted, the proof spent and the session written, each durable
// before the next; a token signed by Vault; and a secret opened by Vault, or a signature checked.
const factorCommits = 3

// factorFloor does these parts and nothing else, with as many connections to Postgres as the server has.
type factorFloor struct {
	*stack
	connections chan connection
	vaultToken  string
	sealed      string // a secret as Vault sealed it
	key         *ecdsa.PrivateKey
	signature   []byte
}

var floorMessage = sha256.Sum256([]byte("what an authenticator signs"))

func (s *stack) newFactorFloor(ctx context.Context) (f *factorFloor, err error) {
	f = &factorFloor{stack: s, vaultToken: s.vault.RootToken}
	if f.connections, err = s.connect(ctx, 10); err != nil {
		return nil, err
	}
	for name, kind := range map[string]string{"bench-floor-seal": "aes256-gcm96", "bench-floor-sign": "ecdsa-p256"} {
		if err := f.askVault(ctx, "/v1/transit/keys/"+name, map[string]string{"type": kind}, nil); err != nil {
			return nil, err
		}
	}
	var sealed struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
		} `json:"data"`
	}
	secret := base64.StdEncoding.EncodeToString([]byte("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
	if err := f.askVault(ctx, "/v1/transit/encrypt/bench-floor-seal", map[string]string{"plaintext": secret}, &sealed); err != nil {
		return nil, err
	}
	f.sealed = sealed.Data.Ciphertext
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	f.signature, err = ecdsa.SignASN1(rand.Reader, f.key, floorMessage[:])
	return f, err
}

func (f *factorFloor) askVault(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.vault.Address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Vault-Token", f.vaultToken)
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("vault %s: status %d: %s", path, res.StatusCode, text)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// commitsAndToken is what both kinds have in common.
func (f *factorFloor) commitsAndToken(ctx context.Context) error {
	for range factorCommits {
		if err := f.commit(ctx); err != nil {
			return err
		}
	}
	token := base64.StdEncoding.EncodeToString(make([]byte, 700))
	return f.askVault(ctx, "/v1/transit/sign/bench-floor-sign/sha2-256", map[string]string{"input": token, "marshaling_algorithm": "jws"}, nil)
}

func (f *factorFloor) code(ctx context.Context) error {
	if err := f.askVault(ctx, "/v1/transit/decrypt/bench-floor-seal", map[string]string{"ciphertext": f.sealed}, nil); err != nil {
		return err
	}
	return f.commitsAndToken(ctx)
}

func (f *factorFloor) assertion(ctx context.Context) error {
	if !ecdsa.VerifyASN1(&f.key.PublicKey, floorMessage[:], f.signature) {
		return errors.New("the floor's own signature does not verify")
	}
	return f.commitsAndToken(ctx)
}
