package main

import (
	"context"
	"encoding/base64"
)

// refreshFloor does what a refresh cannot do without: that the old token is spent, durably, and a token signed by Vault.
type refreshFloor struct{ *factorFloor }

const refreshKey = "gatehouse-bench-refresh-signing"

// newRefreshFloor asks Vault as the service does, with a token that may use keys and nothing else. One that may do
// everything is not checked, and is answered in two thirds of the time.
func (s *stack) newRefreshFloor(ctx context.Context) (*refreshFloor, error) {
	f, err := s.newFactorFloor(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.askVault(ctx, "/v1/transit/keys/"+refreshKey, map[string]string{"type": "ecdsa-p256"}, nil); err != nil {
		return nil, err
	}
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	in := map[string]any{"policies": []string{"gatehouse-runtime"}, "no_default_policy": true}
	err = f.askVault(ctx, "/v1/auth/token/create", in, &made)
	f.vaultToken = made.Auth.Token
	return &refreshFloor{f}, err
}

func (f *refreshFloor) refresh(ctx context.Context) error {
	if err := f.commit(ctx); err != nil {
		return err
	}
	claims := base64.StdEncoding.EncodeToString(make([]byte, 900)) // as long as those of an access token
	return f.askVault(ctx, "/v1/transit/sign/"+refreshKey, map[string]any{"input": claims, "key_version": 1, "marshaling_algorithm": "jws"}, nil)
}
