package custody

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Secret is text that must not be printed; it prints and logs as [redacted].
type Secret string

// String, GoString, LogValue and MarshalText are what fmt, slog and encoding/json ask.
func (Secret) String() string               { return "[redacted]" }
func (Secret) GoString() string             { return "[redacted]" }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// VaultConfig says how to reach Vault. The environment (VAULT_ADDR, VAULT_TOKEN, VAULT_SKIP_VERIFY ...) is not
// read: a variable left over in a shell must not redirect the service's keys.
type VaultConfig struct {
	// Address of the server, for example https://vault.internal:8200. http is for loopback and tests.
	Address string
	// Namespace, of Vault Enterprise; usually empty.
	Namespace string
	// CAFile holds the certificates (PEM) that Vault's is checked against. Default: those of the system.
	CAFile string
	// Mount of the transit engine. Default "transit". The policies in policy/ name it too.
	Mount string
	// Timeout of one call of a Custodian with everything in it. Default 1 s.
	Timeout time.Duration
	// Login is who we are to Vault.
	Login VaultLogin
	// Log receives what happens to the login; nil discards it.
	Log *slog.Logger
}

// VaultLogin is one of three ways to log in: a token, AppRole (RoleID) or Kubernetes (KubernetesRole).
type VaultLogin struct {
	// Token is a token as given. It is renewed if it can be, but nothing can replace it: at its end the service
	// needs a restart. For development and one-off commands.
	Token Secret

	// RoleID and SecretID, or a file that holds the secret id and is read at each login, are an AppRole.
	RoleID       string
	SecretID     Secret
	SecretIDFile string

	// KubernetesRole is the role the pod's service account logs in to. JWTFile defaults to where Kubernetes puts its
	// token; it is read at each login because Kubernetes replaces it.
	KubernetesRole string
	JWTFile        string

	// Mount of the login method. Default "approle" or "kubernetes".
	Mount string
}

const (
	defaultTimeout = time.Second
	defaultJWTFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	// keymasterTimeout: making an RSA key of 3,072 bits takes up to a few seconds of a busy Vault's CPU.
	keymasterTimeout = 15 * time.Second
	// loginTimeout together with the longest pause between attempts stays under the 10 s we have to recover.
	loginTimeout = 3 * time.Second
)

// validate sets defaults and reports everything that is wrong at once.
func (c *VaultConfig) validate() error {
	var errs []error
	if u, err := url.Parse(c.Address); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		errs = append(errs, errors.New("address: not an http or https URL"))
	}
	c.Address = strings.TrimRight(c.Address, "/")
	if c.Mount = strings.Trim(c.Mount, "/"); c.Mount == "" {
		c.Mount = "transit"
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	errs = append(errs, c.Login.validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("custody: Vault: %w", err)
	}
	return nil
}

func (l *VaultLogin) validate() error {
	ways := 0
	for _, chosen := range []bool{l.Token != "", l.RoleID != "", l.KubernetesRole != ""} {
		if chosen {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("login: exactly one of token, AppRole role id and Kubernetes role is needed")
	}
	switch {
	case l.RoleID != "":
		if (l.SecretID == "") == (l.SecretIDFile == "") {
			return errors.New("login: AppRole needs a secret id or the file that holds it")
		}
		l.defaults("approle")
	case l.KubernetesRole != "":
		l.defaults("kubernetes")
	}
	return nil
}

func (l *VaultLogin) defaults(mount string) {
	if l.Mount = strings.Trim(l.Mount, "/"); l.Mount == "" {
		l.Mount = mount
	}
	if l.JWTFile == "" {
		l.JWTFile = defaultJWTFile
	}
}

// transport is HTTP/1.1 on purpose: a deadline that passes closes the connection it waited on. Over HTTP/2 it would
// only cancel a stream, and all calls would go on sharing a connection whose other end has vanished.
func (c *VaultConfig) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: c.Timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		TLSHandshakeTimeout: c.Timeout,
		// The default keeps 2: at 50 logins at once nearly every call would dial, and with TLS pay a handshake.
		MaxIdleConnsPerHost: 64,
		MaxConnsPerHost:     128,
		IdleConnTimeout:     60 * time.Second,
		DisableCompression:  true,
	}
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("custody: Vault: CA file: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("custody: Vault: CA file %s holds no certificate", c.CAFile)
	}
	return t, nil
}
