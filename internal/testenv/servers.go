package testenv

import (
	"context"
	"errors"
	"os"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
)

type vaultServer struct{ address, token string }

func findPostgres() (url string, err error) {
	if url := os.Getenv(EnvPostgres); url != "" {
		return url, nil
	}
	err = owned(func(ctx context.Context) (stop func() error, err error) {
		url, stop, err = StartPostgres(ctx)
		return stop, err
	})
	return url, err
}

func findVault() (v vaultServer, err error) {
	if address := os.Getenv(EnvVaultAddr); address != "" {
		return vaultServer{address, os.Getenv(EnvVaultToken)}, nil
	}
	err = owned(func(ctx context.Context) (stop func() error, err error) {
		v.address, v.token, stop, err = StartVault(ctx)
		return stop, err
	})
	return v, err
}

// StartPostgres starts a Postgres for tests, fast and volatile, with connections for several test binaries at once. It
// is for teststack; tests use Postgres.
func StartPostgres(ctx context.Context) (url string, stop func() error, err error) {
	bin, err := pgproc.Obtain(ctx, os.Stderr)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "gatehouse-postgres-")
	if err != nil {
		return "", nil, err
	}
	server, err := pgproc.Start(ctx, pgproc.Options{BinDir: bin, Dir: dir, Volatile: true, MaxConnections: 300})
	if err != nil {
		return "", nil, errors.Join(err, pgproc.Remove(dir))
	}
	return server.SuperuserURL(), func() error { return errors.Join(server.Stop(), pgproc.Remove(dir)) }, nil
}

// StartVault builds Vault if this machine has not built it yet, and starts it with storage that Stop removes. It is
// for teststack; tests use Vault.
func StartVault(ctx context.Context) (address, token string, stop func() error, err error) {
	binary, err := vaultproc.Build(ctx, os.Stderr)
	if err != nil {
		return "", "", nil, err
	}
	server, err := vaultproc.Start(ctx, vaultproc.Options{Binary: binary})
	if err != nil {
		return "", "", nil, err
	}
	return server.Address, server.RootToken, server.Stop, nil
}
