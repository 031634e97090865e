package custody

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"
)

// The policies a service needs, for the mount "transit". Operators who manage Vault themselves apply these files.
var (
	//go:embed policy/runtime.hcl
	RuntimePolicy string
	//go:embed policy/provisioner.hcl
	ProvisionerPolicy string
)

// The names Bootstrap gives to policies and AppRoles alike.
const (
	RuntimeRole     = "gatehouse-runtime"
	ProvisionerRole = "gatehouse-provisioner"
)

// Bootstrap prepares a Vault for gatehouse: the transit engine, AppRole, the two policies and a role for each. It
// is for `gatehouse dev`, for tests and as a description of what an operator has to do; admin's login needs the
// right to do it, and is the only place where such a login is wanted.
//
// It may be repeated, and by several processes at once: what is there is left or set to the same again. Each time it
// returns new secret ids; the old ones go on working.
func Bootstrap(ctx context.Context, admin VaultConfig) (runtime, provisioner VaultLogin, err error) {
	if err := admin.validate(); err != nil {
		return runtime, provisioner, err
	}
	b := bootstrap{mount: admin.Mount}
	if err := b.open(ctx, admin); err != nil {
		return runtime, provisioner, err
	}
	if err := b.enable(ctx); err != nil {
		return runtime, provisioner, err
	}
	if runtime, err = b.role(ctx, RuntimeRole, RuntimePolicy); err != nil {
		return runtime, provisioner, err
	}
	provisioner, err = b.role(ctx, ProvisionerRole, ProvisionerPolicy)
	return runtime, provisioner, err
}

type bootstrap struct {
	client *api.Client
	mount  string
}

func (b *bootstrap) open(ctx context.Context, admin VaultConfig) error {
	transport, err := admin.transport()
	if err != nil {
		return err
	}
	if b.client, err = admin.newAPI(transport); err != nil {
		return fmt.Errorf("custody: Vault: %w", err)
	}
	secret, err := admin.Login.method(b.client)(ctx)
	if err != nil {
		return loginError(err)
	}
	b.client.SetToken(secret.Auth.ClientToken)
	return nil
}

func (b *bootstrap) enable(ctx context.Context) error {
	sys := b.client.Sys()
	transit := sys.MountWithContext(ctx, b.mount, &api.MountInput{Type: "transit", Description: "keys of gatehouse's tenants"})
	if !inUse(transit) {
		return fmt.Errorf("custody: enable transit: %w", transit)
	}
	approle := sys.EnableAuthWithOptionsWithContext(ctx, "approle", &api.EnableAuthOptions{Type: "approle"})
	if !inUse(approle) {
		return fmt.Errorf("custody: enable AppRole: %w", approle)
	}
	return nil
}

// inUse is true for success, too. Asking first what is mounted would race with another process that asks.
func inUse(err error) bool {
	var answer *api.ResponseError
	return err == nil || errors.As(err, &answer) && answer.StatusCode == http.StatusBadRequest &&
		strings.Contains(err.Error(), "path is already in use")
}

func (b *bootstrap) role(ctx context.Context, name, policy string) (VaultLogin, error) {
	policy = strings.ReplaceAll(policy, `path "transit/`, `path "`+b.mount+`/`)
	if err := b.client.Sys().PutPolicyWithContext(ctx, name, policy); err != nil {
		return VaultLogin{}, fmt.Errorf("custody: policy %s: %w", name, err)
	}
	path := "auth/approle/role/" + name
	_, err := b.client.Logical().WriteWithContext(ctx, path, map[string]any{
		"token_policies":          name,
		"token_no_default_policy": true, // ours says all that is needed
		"token_ttl":               "1h",
		"token_max_ttl":           "24h",
	})
	if err != nil {
		return VaultLogin{}, fmt.Errorf("custody: role %s: %w", name, err)
	}
	id, err := b.client.Logical().ReadWithContext(ctx, path+"/role-id")
	if err != nil || id == nil {
		return VaultLogin{}, fmt.Errorf("custody: role id of %s: %w", name, err)
	}
	secret, err := b.client.Logical().WriteWithContext(ctx, path+"/secret-id", nil)
	if err != nil || secret == nil {
		return VaultLogin{}, fmt.Errorf("custody: secret id of %s: %w", name, err)
	}
	roleID, _ := id.Data["role_id"].(string)
	secretID, _ := secret.Data["secret_id"].(string)
	return VaultLogin{RoleID: roleID, SecretID: Secret(secretID)}, nil
}
