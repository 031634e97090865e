package tenancytest

import (
	"os"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// OwnPostgres is Install on a Postgres of the test's own, to be stopped, paused and started again.
func OwnPostgres(tb testing.TB) (Installation, *pgproc.Server) {
	tb.Helper()
	server := postgres(tb)
	return InstallOn(tb, server.SuperuserURL()), server
}

// OwnDatabase is Database on a Postgres of the test's own.
func OwnDatabase(tb testing.TB) (Installation, *pgproc.Server) {
	tb.Helper()
	server := postgres(tb)
	return DatabaseOn(tb, server.SuperuserURL()), server
}

func postgres(tb testing.TB) *pgproc.Server {
	tb.Helper()
	bin, err := pgproc.Obtain(tb.Context(), os.Stderr)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gatehouse-postgres-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pgproc.Remove(dir) })
	server, err := pgproc.Start(tb.Context(), pgproc.Options{BinDir: bin, Dir: dir, Volatile: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = server.Stop() })
	return server
}

// OwnVault is a Vault of the test's own, to be sealed, killed and started again, with the logins of serving and of
// provisioning.
func OwnVault(tb testing.TB) (runtime, provisioner custody.VaultConfig, server *vaultproc.Server) {
	tb.Helper()
	binary, err := vaultproc.Build(tb.Context(), os.Stderr)
	if err != nil {
		tb.Fatal(err)
	}
	server, err = vaultproc.Start(tb.Context(), vaultproc.Options{Binary: binary})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = server.Stop() })
	admin := custody.VaultConfig{Address: server.Address, Login: custody.VaultLogin{Token: custody.Secret(server.RootToken)}}
	runtimeLogin, provisionerLogin, err := custody.Bootstrap(tb.Context(), admin)
	if err != nil {
		tb.Fatal(err)
	}
	return custody.VaultConfig{Address: server.Address, Login: runtimeLogin},
		custody.VaultConfig{Address: server.Address, Login: provisionerLogin}, server
}
