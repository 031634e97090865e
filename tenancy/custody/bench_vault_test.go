package custody_test

import (
	"context"
	"crypto/rand"
	"syscall"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// BenchmarkSign and BenchmarkHMAC: wall time per call, and cpu-µs/op, the CPU of this process, which is what a login
// has to pay for out of the budget it shares with its password hash. Vault is another process.
func BenchmarkSign(b *testing.B) {
	each(b, func(ctx context.Context, c custody.Custodian, t id.Tenant, input []byte) error {
		_, err := c.Sign(ctx, t, custody.SigningKey{Version: 1, Algorithm: custody.ES256}, input)
		return err
	})
}

func BenchmarkHMAC(b *testing.B) {
	each(b, func(ctx context.Context, c custody.Custodian, t id.Tenant, input []byte) error {
		_, _, err := c.HMAC(ctx, t, 1, input)
		return err
	})
}

func each(b *testing.B, call func(context.Context, custody.Custodian, id.Tenant, []byte) error) {
	l := sharedVault(b)
	software := openSoftware(b, b.TempDir())
	for _, impl := range []struct {
		name string
		custody.Custodian
		custody.Keymaster
	}{
		{"Vault", openVault(b, l.address, l.runtime), openVault(b, l.address, l.provisioner)},
		{"Software", software, software},
	} {
		b.Run(impl.name, func(b *testing.B) {
			tenant := id.NewTenant()
			if err := impl.Create(b.Context(), tenant, custody.ES256); err != nil {
				b.Fatal(err)
			}
			input := make([]byte, 600) // an access token's length
			_, _ = rand.Read(input)
			measure(b, func() error { return call(b.Context(), impl.Custodian, tenant, input) })
		})
	}
}

// BenchmarkVaultLibrary is the same HMAC through Vault's own library, for comparison.
func BenchmarkVaultLibrary(b *testing.B) {
	l := sharedVault(b)
	tenant := id.NewTenant()
	if err := openVault(b, l.address, l.provisioner).Create(b.Context(), tenant, custody.ES256); err != nil {
		b.Fatal(err)
	}
	c, err := api.NewClient(&api.Config{Address: l.address})
	if err != nil {
		b.Fatal(err)
	}
	login, err := c.Logical().WriteWithContext(b.Context(), "auth/approle/login",
		map[string]any{"role_id": l.runtime.RoleID, "secret_id": string(l.runtime.SecretID)})
	if err != nil {
		b.Fatal(err)
	}
	c.SetToken(login.Auth.ClientToken)
	path, in := "transit/hmac/gatehouse-"+tenant.Hex()+"-sealing", map[string]any{"input": make([]byte, 600), "key_version": 1}
	measure(b, func() error {
		_, err := c.Logical().WriteWithContext(b.Context(), path, in)
		return err
	})
}

func measure(b *testing.B, call func() error) {
	b.ReportAllocs()
	began := cpu(b)
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/1e3, "cpu-µs/op")
}

// cpu is the CPU time this process has used, in nanoseconds.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
