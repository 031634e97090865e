package custody_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

func rootClient(t *testing.T) *api.Client {
	t.Helper()
	address, root := testenv.Vault(t)
	c, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(root)
	return c
}

func vaultWrite(t *testing.T, c *api.Client, path string, data map[string]any) *api.Secret {
	t.Helper()
	s, err := c.Logical().WriteWithContext(t.Context(), path, data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ownRole makes an AppRole of the test's own, on a mount of its own so that all its tokens can be revoked.
func ownRole(t *testing.T, c *api.Client, ttl, maxTTL string) custody.VaultLogin {
	t.Helper()
	mount := "test-" + t.Name()
	check(t, c.Sys().EnableAuthWithOptionsWithContext(t.Context(), mount, &api.EnableAuthOptions{Type: "approle"}))
	role := "auth/" + mount + "/role/r"
	vaultWrite(t, c, role, map[string]any{"token_policies": custody.RuntimeRole, "token_ttl": ttl, "token_max_ttl": maxTTL})
	id, err := c.Logical().ReadWithContext(t.Context(), role+"/role-id")
	check(t, err)
	secret := vaultWrite(t, c, role+"/secret-id", nil)
	file := filepath.Join(t.TempDir(), "secret-id")
	check(t, os.WriteFile(file, []byte(secret.Data["secret_id"].(string)+"\n"), 0o600))
	return custody.VaultLogin{RoleID: id.Data["role_id"].(string), SecretIDFile: file, Mount: mount}
}

// TestSessionOutlivesItsTokens: renewed before its ttl, logged in again before its max_ttl; no call in between fails.
func TestSessionOutlivesItsTokens(t *testing.T) {
	t.Parallel()
	l := sharedVault(t)
	v := openVault(t, l.address, ownRole(t, rootClient(t), "3s", "6s"))
	for end := time.Now().Add(13 * time.Second); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSessionLogsInAgain after its token was revoked under it, with fifty calls noticing at once.
func TestSessionLogsInAgain(t *testing.T) {
	t.Parallel()
	l, root := sharedVault(t), rootClient(t)
	login := ownRole(t, root, "1h", "24h")
	v := openVault(t, l.address, login)
	check(t, v.Ready(t.Context()))
	time.Sleep(5500 * time.Millisecond) // a login younger than 5 s is not doubted
	check(t, root.Sys().RevokePrefixWithContext(t.Context(), "auth/"+login.Mount+"/login"))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := v.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestSessionWithGivenToken(t *testing.T) {
	t.Parallel()
	l, root := sharedVault(t), rootClient(t)
	token := func(ttl string) custody.VaultLogin {
		s := vaultWrite(t, root, "auth/token/create", map[string]any{"policies": []string{custody.RuntimeRole}, "ttl": ttl})
		return custody.VaultLogin{Token: custody.Secret(s.Auth.ClientToken)}
	}
	v := openVault(t, l.address, token("2s"))
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		check(t, v.Ready(t.Context())) // renewed
	}
	if err := openVault(t, l.address, custody.VaultLogin{Token: "hvs.wrong"}).Ready(t.Context()); !errors.Is(err, custody.ErrDenied) {
		t.Errorf("a wrong token: %v", err)
	}
	if err := openVault(t, l.address, custody.VaultLogin{RoleID: "x", SecretID: "y"}).Ready(t.Context()); !errors.Is(err, custody.ErrDenied) {
		t.Errorf("a wrong AppRole: %v", err)
	}
}

// TestSessionKubernetes, against a stand-in: Vault's own plugin needs a cluster to ask.
func TestSessionKubernetes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(file, []byte("jwt-1\n"), 0o600))
	var logins atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/auth/k8s/eu/login" {
			if r.Header.Get("X-Vault-Namespace") != "team" {
				http.Error(w, `{"errors":["no namespace"]}`, http.StatusNotFound)
			}
			return
		}
		var in struct{ Role, JWT string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Role != "gatehouse" || in.JWT != fmt.Sprintf("jwt-%d", logins.Add(1)) {
			http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
			return
		}
		check(t, os.WriteFile(file, []byte("jwt-2\n"), 0o600)) // Kubernetes replaces it
		fmt.Fprintf(w, `{"auth":{"client_token":"t-%s","lease_duration":1,"renewable":false}}`, in.JWT)
	}))
	t.Cleanup(server.Close)
	v, err := custody.OpenVault(custody.VaultConfig{Address: server.URL + "/", Namespace: "team",
		Login: custody.VaultLogin{KubernetesRole: "gatehouse", JWTFile: file, Mount: "k8s/eu"}})
	check(t, err)
	defer v.Close()
	check(t, v.Ready(t.Context()))
	for end := time.Now().Add(5 * time.Second); logins.Load() < 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	check(t, v.Ready(t.Context()))
	if logins.Load() < 2 {
		t.Error("the token expired and nobody logged in again")
	}
}

// TestForbiddenPathIsNoLoginStorm: Vault says 403 to an expired token and to a forbidden path alike.
func TestForbiddenPathIsNoLoginStorm(t *testing.T) {
	t.Parallel()
	var logins atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/approle/login" {
			fmt.Fprintf(w, `{"auth":{"client_token":"t-%d","lease_duration":3600,"renewable":false}}`, logins.Add(1))
			return
		}
		http.Error(w, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	v := openVault(t, server.URL, custody.VaultLogin{RoleID: "r", SecretID: "s"})
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := v.Ready(t.Context()); !errors.Is(err, custody.ErrDenied) {
			t.Fatal(err)
		}
	}
	if n := logins.Load(); n != 2 {
		t.Errorf("%d logins in 7 s, want the first and one after 5 s", n)
	}
}

// TestAnswersOfVault: how each kind of answer is told, and that a redirect is not followed with our token in hand.
func TestAnswersOfVault(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Error("followed a redirect to", r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	var status atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/approle/login" {
			fmt.Fprint(w, `{"auth":{"client_token":"t","lease_duration":3600}}`)
			return
		}
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, `<html>`) // a proxy's words, not Vault's
	}))
	t.Cleanup(server.Close)
	v := openVault(t, server.URL, custody.VaultLogin{RoleID: "r", SecretID: "s"})
	for code, want := range map[int]error{
		200: custody.ErrUnavailable, 404: custody.ErrUnavailable, 400: custody.ErrUnavailable, 307: custody.ErrUnavailable, 412: custody.ErrUnavailable, 429: custody.ErrUnavailable,
		500: custody.ErrUnavailable, 502: custody.ErrUnavailable, 503: custody.ErrUnavailable, 403: custody.ErrDenied,
	} {
		status.Store(int32(code))
		_, _, err := v.HMAC(t.Context(), [16]byte{1}, 0, nil)
		if !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := custody.VaultConfig{Login: custody.VaultLogin{Token: "hvs.x", SecretID: "hvs.x"}}
	b, err := json.Marshal(c.Login)
	check(t, err)
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q %s", c, c.Login, c.Login.Token, c.Login), string(b)} {
		if strings.Contains(s, "hvs.x") {
			t.Errorf("a secret in %s", s)
		}
	}
}

// TestExpiredDuringOutage: a token that ended while Vault would not let us in again is an outage, not a denial.
func TestExpiredDuringOutage(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/v1/auth/approle/login" && down.Load():
			http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		case r.URL.Path != "/v1/auth/approle/login":
		case down.Load():
			http.Error(w, `{"errors":["Vault is sealed"]}`, http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, `{"auth":{"client_token":"t","lease_duration":1}}`)
		}
	}))
	t.Cleanup(server.Close)
	v := openVault(t, server.URL, custody.VaultLogin{RoleID: "r", SecretID: "s"})
	check(t, v.Ready(t.Context()))
	down.Store(true)
	time.Sleep(1500 * time.Millisecond)
	for range 20 {
		if err := v.Ready(t.Context()); !errors.Is(err, custody.ErrUnavailable) || errors.Is(err, custody.ErrDenied) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	down.Store(false)
	check(t, v.Ready(t.Context()))
}
