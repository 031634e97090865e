package vaultproc_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
)

// TestMountAndSign is the proof that the pinned build works at all: a Vault that compiles may still not mount.
func TestMountAndSign(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	s := start(ctx, t)

	c := client(t, s)
	if err := c.Sys().MountWithContext(ctx, "transit", &api.MountInput{Type: "transit"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Sys().EnableAuthWithOptionsWithContext(ctx, "approle", &api.EnableAuthOptions{Type: "approle"}); err != nil {
		t.Fatal(err)
	}
	write(ctx, t, c, "transit/keys/k", map[string]any{"type": "ecdsa-p256"})
	sign(ctx, t, c)

	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Logical().WriteWithContext(ctx, "transit/sign/k", map[string]any{"input": "aGk="}); err == nil {
		t.Fatal("a sealed Vault signed")
	}
	if err := s.Unseal(ctx); err != nil {
		t.Fatal(err)
	}
	sign(ctx, t, c)

	// What matters of a crash: keys and tokens survive it, and the address stays.
	address, token := s.Address, s.RootToken
	s.Kill()
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Address != address || s.RootToken != token {
		t.Fatalf("after a restart: %s %s, before: %s %s", s.Address, s.RootToken, address, token)
	}
	sign(ctx, t, c)
}

func TestStopRemovesTemporaryStorage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := start(t.Context(), t)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Fatalf("left in the temporary folder: %v (%v)", left, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal("second Stop:", err)
	}
}

func start(ctx context.Context, t *testing.T) *vaultproc.Server {
	t.Helper()
	binary, err := vaultproc.Build(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := vaultproc.Start(ctx, vaultproc.Options{Binary: binary, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, s *vaultproc.Server) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: s.Address})
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(s.RootToken)
	return c
}

func write(ctx context.Context, t *testing.T, c *api.Client, path string, data map[string]any) *api.Secret {
	t.Helper()
	secret, err := c.Logical().WriteWithContext(ctx, path, data)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func sign(ctx context.Context, t *testing.T, c *api.Client) {
	t.Helper()
	if write(ctx, t, c, "transit/sign/k", map[string]any{"input": "aGk="}).Data["signature"] == "" {
		t.Fatal("no signature")
	}
}
