package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// chooseCustody decides where the keys are: the Vault that VAULT_ADDR names, else a vault or bao on PATH, else files. A
// platform whose keys are in one place cannot find them in another, so the choice of the first start holds.
func (d *dev) chooseCustody(ctx context.Context, cfg *config) error {
	address, token := d.getenv("VAULT_ADDR"), d.getenv("VAULT_TOKEN")
	binary := vaultOnPath()
	chosen := "software"
	switch {
	case address != "" && token == "":
		return errors.New("VAULT_ADDR is set but VAULT_TOKEN is not: gatehouse dev needs a token that may mount transit and write policies")
	case address != "":
		chosen = "vault"
	case binary != "":
		chosen = "vault from PATH"
	}
	s := &d.state.secrets
	if s.Custody != "" && s.Custody != chosen {
		return fmt.Errorf("the keys of the state folder %s are in custody of %q, and this start would use %q: start it as before, or remove the folder",
			d.state.dir, s.Custody, chosen)
	}
	s.Custody = chosen
	if err := d.state.writeJSON("secrets.json", s); err != nil {
		return err
	}
	switch chosen {
	case "software":
		cfg.SoftwareCustody = d.state.path("keys")
		return nil
	case "vault from PATH":
		var err error
		if address, token, err = d.runVault(ctx, binary); err != nil {
			return err
		}
	}
	admin := custody.VaultConfig{Address: address, Login: custody.VaultLogin{Token: custody.Secret(token)}}
	serving, provisioning, err := custody.Bootstrap(ctx, admin)
	if err != nil {
		return fmt.Errorf("cannot prepare the Vault at %s: %w", address, err)
	}
	cfg.Vault = custody.VaultConfig{Address: address, Login: serving}
	cfg.VaultProvisioner = provisioning
	return nil
}

func vaultOnPath() string {
	for _, name := range []string{"vault", "bao"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
