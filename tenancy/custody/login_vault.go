package custody

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
)

// method returns the function that logs in. It is called again whenever the token nears its end.
func (l VaultLogin) method(c *api.Client) func(context.Context) (*api.Secret, error) {
	post := func(ctx context.Context, body map[string]any) (*api.Secret, error) {
		return c.Logical().WriteWithContext(ctx, "auth/"+l.Mount+"/login", body)
	}
	switch {
	case l.KubernetesRole != "":
		return func(ctx context.Context) (*api.Secret, error) {
			jwt, err := readTrimmed(l.JWTFile)
			if err != nil {
				return nil, err
			}
			return post(ctx, map[string]any{"role": l.KubernetesRole, "jwt": jwt})
		}
	case l.RoleID != "":
		return func(ctx context.Context) (*api.Secret, error) {
			secretID := string(l.SecretID)
			if l.SecretIDFile != "" {
				var err error
				if secretID, err = readTrimmed(l.SecretIDFile); err != nil {
					return nil, err
				}
			}
			return post(ctx, map[string]any{"role_id": l.RoleID, "secret_id": secretID})
		}
	}
	return func(ctx context.Context) (*api.Secret, error) { return adopt(ctx, c, string(l.Token)) }
}

// adopt turns a given token into what a login would have returned: the watcher wants to know how long it lives.
// The client is the session's own for logging in, which one goroutine uses.
func adopt(ctx context.Context, c *api.Client, token string) (*api.Secret, error) {
	c.SetToken(token)
	self, err := c.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil, err
	}
	ttl, err := self.TokenTTL()
	if err != nil {
		return nil, err
	}
	renewable, err := self.TokenIsRenewable()
	if err != nil {
		return nil, err
	}
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: token, LeaseDuration: int(ttl.Seconds()), Renewable: renewable}}, nil
}

func readTrimmed(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", errors.New(path + " is empty")
	}
	return s, nil
}

// newAPI makes a client of Vault's own library, used for logging in and renewing. Its retries are off: they turn the
// refusal of a sealed Vault into four seconds of waiting, and the session has a rhythm of its own.
func (c *VaultConfig) newAPI(t *http.Transport) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address:    c.Address,
		HttpClient: &http.Client{Transport: t},
		MaxRetries: 0,
		Timeout:    loginTimeout,
	})
	if err != nil {
		return nil, err
	}
	// NewClient has taken these from the environment.
	client.ClearToken()
	client.ClearNamespace()
	if c.Namespace != "" {
		client.SetNamespace(c.Namespace)
	}
	return client, nil
}
