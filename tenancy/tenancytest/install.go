// Package tenancytest gives tests an installation of their own on the real Postgres and the real Vault of the run: a
// database with both login roles, the directory and the template, and least-privilege logins to Vault.
//
// The rule for tests above it is a tenant per test, all parallel: tenants are isolated from each other, that is what
// the product is for, so tests of one installation need not wait for each other.
package tenancytest

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Installation is where a platform can be put together.
type Installation struct {
	SuperuserURL   string // for looking at things behind the service's back
	RuntimeURL     string
	ProvisionerURL string

	Runtime     custody.VaultConfig // logs in with the policy of serving replicas
	Provisioner custody.VaultConfig // logs in with the policy of provisioning
}

// Install makes an installation that is gone when the test ends.
func Install(tb testing.TB) Installation {
	tb.Helper()
	return InstallOn(tb, testenv.Database(tb))
}

// InstallOn is Install in a database of the test's own, on a server it may stop.
func InstallOn(tb testing.TB, superuserURL string) Installation {
	tb.Helper()
	in := database(tb, superuserURL, migrations.Control)
	in.Runtime, in.Provisioner = vault(tb)
	return in
}

// Database is a further database that tenants can live in, without a directory: of the result only the URLs are set.
func Database(tb testing.TB) Installation {
	tb.Helper()
	return DatabaseOn(tb, testenv.Database(tb))
}

// DatabaseOn is Database in a database of the test's own, on a server it may stop.
func DatabaseOn(tb testing.TB, superuserURL string) Installation {
	tb.Helper()
	return database(tb, superuserURL, migrations.Database)
}

func database(tb testing.TB, superuserURL string, migrate func(context.Context, string) error) Installation {
	tb.Helper()
	ctx := context.Background()
	u, err := url.Parse(superuserURL)
	if err != nil {
		tb.Fatal(err)
	}
	// Roles belong to the whole server, which other packages' tests share: so each installation has its own names.
	suffix := "_" + strings.ToLower(rand.Text()[:10])
	roles := migrations.Roles{Database: strings.TrimPrefix(u.Path, "/"), Runtime: "runtime" + suffix, RuntimePassword: rand.Text(),
		Provisioner: "provisioner" + suffix, ProvisionerPassword: rand.Text()}
	if err := migrations.ApplyRoles(ctx, superuserURL, roles); err != nil {
		tb.Fatal(err)
	}
	in := Installation{SuperuserURL: superuserURL}
	u.User = url.UserPassword(roles.Runtime, roles.RuntimePassword)
	in.RuntimeURL = u.String()
	u.User = url.UserPassword(roles.Provisioner, roles.ProvisionerPassword)
	in.ProvisionerURL = u.String()
	if err := migrate(ctx, in.ProvisionerURL); err != nil {
		tb.Fatal(err)
	}
	return in
}

// bootstrap prepares the run's Vault once: its policies are the same for everybody.
var bootstrap = struct {
	sync.Once
	runtime, provisioner custody.VaultLogin
	err                  error
}{}

func vault(tb testing.TB) (runtime, provisioner custody.VaultConfig) {
	tb.Helper()
	address, token := testenv.Vault(tb)
	bootstrap.Do(func() {
		admin := custody.VaultConfig{Address: address, Login: custody.VaultLogin{Token: custody.Secret(token)}}
		bootstrap.runtime, bootstrap.provisioner, bootstrap.err = custody.Bootstrap(context.Background(), admin)
	})
	if bootstrap.err != nil {
		tb.Fatal(bootstrap.err)
	}
	return custody.VaultConfig{Address: address, Login: bootstrap.runtime}, custody.VaultConfig{Address: address, Login: bootstrap.provisioner}
}
