package custody_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/custody/custodytest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// logins are the least-privilege credentials that everything here runs with; root only makes them.
type logins struct {
	address              string
	runtime, provisioner custody.VaultLogin
}

var shared struct {
	sync.Mutex
	logins
}

// sharedVault is the test run's Vault, prepared once.
func sharedVault(t testing.TB) logins {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.address == "" {
		address, root := testenv.Vault(t)
		shared.logins = bootstrap(t, address, root)
	}
	return shared.logins
}

func bootstrap(t testing.TB, address, root string) (l logins) {
	t.Helper()
	l.address = address
	var err error
	admin := custody.VaultConfig{Address: address, Login: custody.VaultLogin{Token: custody.Secret(root)}}
	for range 2 { // the second time changes nothing
		if l.runtime, l.provisioner, err = custody.Bootstrap(t.Context(), admin); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func openVault(t testing.TB, address string, login custody.VaultLogin) *custody.Vault {
	t.Helper()
	v, err := custody.OpenVault(custody.VaultConfig{Address: address, Login: login})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func TestVault(t *testing.T) {
	l := sharedVault(t)
	runtime, provisioner := openVault(t, l.address, l.runtime), openVault(t, l.address, l.provisioner)
	custodytest.Run(t, func(*testing.T) (custody.Custodian, custody.Keymaster) { return runtime, provisioner })
}

// TestVaultPrivilege: a replica that is taken over cannot make, read, rotate or destroy keys; provisioning cannot use
// them; and neither can touch what is not gatehouse's.
func TestVaultPrivilege(t *testing.T) {
	l := sharedVault(t)
	runtime, provisioner := openVault(t, l.address, l.runtime), openVault(t, l.address, l.provisioner)
	ctx, tenant := t.Context(), id.NewTenant()
	if err := provisioner.Create(ctx, tenant, custody.ES256); err != nil {
		t.Fatal(err)
	}
	sealed, err := runtime.Seal(ctx, tenant, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{}
	errs["runtime Create"] = runtime.Create(ctx, id.NewTenant(), custody.ES256)
	errs["runtime Destroy"] = runtime.Destroy(ctx, tenant)
	_, errs["runtime PublicKeys"] = runtime.PublicKeys(ctx, tenant)
	_, errs["runtime AddSigning"] = runtime.AddSigning(ctx, tenant, custody.SigningKey{Version: 2, Algorithm: custody.ES256})
	_, errs["runtime RotateSealing"] = runtime.RotateSealing(ctx, tenant)
	_, errs["runtime SealingVersion"] = runtime.SealingVersion(ctx, tenant)
	_, errs["provisioner Sign"] = provisioner.Sign(ctx, tenant, custody.SigningKey{Version: 1, Algorithm: custody.ES256}, nil)
	_, _, errs["provisioner HMAC"] = provisioner.HMAC(ctx, tenant, 0, nil)
	_, errs["provisioner Seal"] = provisioner.Seal(ctx, tenant, nil, nil)
	_, errs["provisioner Open"] = provisioner.Open(ctx, tenant, sealed, nil)
	for name, err := range errs {
		if !errors.Is(err, custody.ErrDenied) || errors.Is(err, custody.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrDenied", name, err)
		}
	}
	// Encrypting under a name that is not there makes a key, for whoever may create. The runtime must not.
	missing := id.NewTenant()
	if _, err := runtime.Seal(ctx, missing, []byte("x"), nil); !errors.Is(err, custody.ErrNoKey) {
		t.Errorf("Seal without a key: %v", err)
	}
	if _, err := provisioner.PublicKeys(ctx, missing); !errors.Is(err, custody.ErrNoKey) {
		t.Errorf("Seal without a key made one: %v", err)
	}
}

// TestPolicies asks Vault itself what a login may do outside what the adapter asks for.
func TestPolicies(t *testing.T) {
	l := sharedVault(t)
	name := "gatehouse-" + id.NewTenant().Hex() + "-signing"
	as := func(login custody.VaultLogin) *api.Client {
		c, err := api.NewClient(&api.Config{Address: l.address})
		check(t, err)
		s, err := c.Logical().WriteWithContext(t.Context(), "auth/approle/login",
			map[string]any{"role_id": login.RoleID, "secret_id": string(login.SecretID)})
		check(t, err)
		c.SetToken(s.Auth.ClientToken)
		return c
	}
	runtime, provisioner := as(l.runtime), as(l.provisioner)
	for _, try := range []struct {
		who  *api.Client
		path string
		in   map[string]any
	}{
		{runtime, "transit/encrypt/" + name, map[string]any{"plaintext": "eA=="}}, // would make the key
		{runtime, "transit/keys/" + name, map[string]any{"type": "ed25519"}},
		{runtime, "transit/sign/other", map[string]any{"input": "eA=="}},
		{runtime, "transit/rewrap/" + name, map[string]any{"ciphertext": "vault:v1:eA=="}},
		{runtime, "auth/token/create", nil},
		{provisioner, "transit/keys/" + name, map[string]any{"type": "ed25519", "exportable": true}},
		{provisioner, "transit/keys/" + name, map[string]any{"type": "ed25519", "exportable": "1"}},
		{provisioner, "transit/keys/" + name + "/config", map[string]any{"allow_plaintext_backup": true}},
		{provisioner, "transit/keys/other", map[string]any{"type": "ed25519"}},
		{provisioner, "transit/restore/" + name, map[string]any{"backup": "eA=="}},
		{provisioner, "sys/policies/acl/" + custody.RuntimeRole, map[string]any{"policy": ""}},
		{provisioner, "auth/token/create", nil},
	} {
		var answer *api.ResponseError
		_, err := try.who.Logical().WriteWithContext(t.Context(), try.path, try.in)
		if !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s %v: %v, want 403", try.path, try.in, err)
		}
	}
	for _, path := range []string{"transit/export/signing-key/" + name, "transit/backup/" + name, "transit/keys?list=true"} {
		for _, who := range []*api.Client{runtime, provisioner} {
			if s, err := who.Logical().ReadWithContext(t.Context(), path); err == nil {
				t.Errorf("reading %s: %+v", path, s)
			}
		}
	}
}

// privateVault is a server of the test's own, to be sealed and killed.
func privateVault(t *testing.T) (*vaultproc.Server, logins) {
	t.Helper()
	binary, err := vaultproc.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := vaultproc.Start(t.Context(), vaultproc.Options{Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s, bootstrap(t, s.Address, s.RootToken)
}

// TestVaultOutages: what a replica sees while Vault is sealed, killed and started again, without being restarted.
func TestVaultOutages(t *testing.T) {
	s, l := privateVault(t)
	v := openVault(t, l.address, l.runtime)
	tenant := id.NewTenant()
	if err := openVault(t, l.address, l.provisioner).Create(t.Context(), tenant, custody.ES256); err != nil {
		t.Fatal(err)
	}
	answers(t, v, tenant)

	check(t, s.Seal(t.Context()))
	unavailable(t, v, tenant)
	late := openVault(t, l.address, l.runtime) // a replica that starts while Vault is away
	unavailable(t, late, tenant)
	check(t, s.Unseal(t.Context()))
	answers(t, v, tenant)
	answers(t, late, tenant)

	s.Kill()
	unavailable(t, v, tenant)
	check(t, s.Restart(t.Context()))
	answers(t, v, tenant)

	// Stopped in mid-air: connections stay open and nothing answers.
	check(t, s.Pause())
	unavailable(t, v, tenant)
	check(t, s.Continue())
	answers(t, v, tenant)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unavailable: each call says so, in time.
func unavailable(t *testing.T, v *custody.Vault, tenant id.Tenant) {
	t.Helper()
	for name, call := range calls(t.Context(), v, tenant) {
		began := time.Now()
		err := call()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if !errors.Is(err, custody.ErrUnavailable) || errors.Is(err, custody.ErrDenied) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want ErrUnavailable alone", name, err)
		}
	}
}

// answers: each call succeeds within the 10 s that recovery may take.
func answers(t *testing.T, v *custody.Vault, tenant id.Tenant) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for name, call := range calls(t.Context(), v, tenant) {
		err := call()
		for ; err != nil && time.Now().Before(deadline); err = call() {
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			t.Fatalf("%s did not recover: %v", name, err)
		}
	}
}

func calls(ctx context.Context, v *custody.Vault, tenant id.Tenant) map[string]func() error {
	return map[string]func() error{
		"Ready": func() error { return v.Ready(ctx) },
		"Sign": func() error {
			_, err := v.Sign(ctx, tenant, custody.SigningKey{Version: 1, Algorithm: custody.ES256}, []byte("x"))
			return err
		},
		"HMAC": func() error { _, _, err := v.HMAC(ctx, tenant, 0, []byte("x")); return err },
		"Seal": func() error { _, err := v.Seal(ctx, tenant, []byte("x"), nil); return err },
	}
}

func TestVaultConfigIsChecked(t *testing.T) {
	for name, c := range map[string]custody.VaultConfig{
		"no address":      {Login: custody.VaultLogin{Token: "x"}},
		"not a URL":       {Address: "vault:8200", Login: custody.VaultLogin{Token: "x"}},
		"no login":        {Address: "http://127.0.0.1:1"},
		"two logins":      {Address: "http://127.0.0.1:1", Login: custody.VaultLogin{Token: "x", KubernetesRole: "y"}},
		"no secret id":    {Address: "http://127.0.0.1:1", Login: custody.VaultLogin{RoleID: "x"}},
		"CA file missing": {Address: "https://127.0.0.1:1", CAFile: "/does/not/exist", Login: custody.VaultLogin{Token: "x"}},
		"CA file not PEM": {Address: "https://127.0.0.1:1", CAFile: "/dev/null", Login: custody.VaultLogin{Token: "x"}},
		"two secret ids":  {Address: "http://127.0.0.1:1", Login: custody.VaultLogin{RoleID: "x", SecretID: "y", SecretIDFile: "z"}},
	} {
		if v, err := custody.OpenVault(c); err == nil {
			t.Errorf("%s: accepted", name)
			_ = v.Close()
		}
	}
}
