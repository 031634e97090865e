package vaultproc

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/api"
)

// Seal locks the server, as an operator would in an emergency: it answers 503 to everything until Unseal.
func (s *Server) Seal(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	return c.Sys().SealWithContext(ctx)
}

// Unseal opens the server again.
func (s *Server) Unseal(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	status, err := c.Sys().UnsealWithContext(ctx, s.unsealKey)
	if err == nil && status.Sealed {
		err = errors.New("vaultproc: still sealed")
	}
	return err
}

// client ignores VAULT_ADDR and the rest of the environment, which may point at somebody's real Vault.
func (s *Server) client() (*api.Client, error) {
	c, err := api.NewClient(&api.Config{Address: s.Address, MaxRetries: 0, HttpClient: api.DefaultConfig().HttpClient})
	if err != nil {
		return nil, err
	}
	c.SetToken(s.RootToken)
	return c, nil
}
