// Package testenv gives tests the real servers that gatehouse runs against: a Postgres and a Vault. It is imported by
// tests only, and knows nothing of what gatehouse puts into them.
//
// One of each serves a whole test run: teststack starts them and names them in the environment. Without it each test
// binary starts its own at the first use and stops them in Main, so that `go test ./tenancy` works as it is:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// A server that cannot be had fails the test and never skips it: a skipped test looks like a passed one in CI.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// The environment in which teststack names its servers.
const (
	EnvPostgres   = "GATEHOUSE_TEST_POSTGRES" // superuser URL
	EnvVaultAddr  = "GATEHOUSE_TEST_VAULT_ADDR"
	EnvVaultToken = "GATEHOUSE_TEST_VAULT_TOKEN"
)

// startBound is generous: the first start may install Postgres and compile Vault.
const startBound = 20 * time.Minute

var (
	postgres = sync.OnceValues(findPostgres)
	vault    = sync.OnceValues(findVault)

	mu    sync.Mutex
	main  bool           // Main runs, so what is started will be stopped
	stops []func() error // of what this process started
)

// Main runs the tests, stops what they started and exits. last is done when all tests are.
func Main(m *testing.M, last ...func()) {
	mu.Lock()
	main = true
	mu.Unlock()
	code := m.Run()
	for _, do := range last {
		do()
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Postgres returns the superuser URL of the run's Postgres. Tests share it: use Database for a place of one's own.
func Postgres(tb testing.TB) (superuserURL string) {
	tb.Helper()
	url, err := postgres()
	if err != nil {
		tb.Fatalf("no Postgres for the test: %v", err)
	}
	return url
}

// Vault returns the address and root token of the run's Vault. Tests share it: mount under a name of one's own.
func Vault(tb testing.TB) (address, rootToken string) {
	tb.Helper()
	v, err := vault()
	if err != nil {
		tb.Fatalf("no Vault for the test: %v", err)
	}
	return v.address, v.token
}

// owned notes what must be stopped at the end. Without Main nobody would, so that is refused.
func owned(start func(context.Context) (stop func() error, err error)) error {
	mu.Lock()
	defer mu.Unlock()
	if !main {
		return errors.New("the test package lacks: func TestMain(m *testing.M) { testenv.Main(m) }")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	stop, err := start(ctx)
	if err == nil {
		stops = append(stops, stop)
	}
	return err
}

func stop() error {
	mu.Lock()
	defer mu.Unlock()
	var errs []error
	for _, stop := range stops {
		errs = append(errs, stop())
	}
	stops = nil
	return errors.Join(errs...)
}
