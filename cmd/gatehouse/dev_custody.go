package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Where the keys of a development platform can be. It is written down at the first start and holds from then on: a
// platform whose keys are in one place does not find them in another.
const (
	custodyAddress  = "the Vault of VAULT_ADDR"
	custodySoftware = "files"
	custodyBinary   = "an installed " // followed by the program's name
)

// chooseCustody decides where the keys are: the Vault that VAULT_ADDR names, else where they were, else in a vault or bao
// found on PATH, else in files. It starts nothing.
func (d *dev) chooseCustody() error {
	s := &d.state.secrets
	chosen := s.Custody
	switch {
	case d.getenv("VAULT_ADDR") != "":
		if err := d.checkVaultAddress(); err != nil {
			return err
		}
		chosen = custodyAddress
	case s.Custody == "":
		chosen = custodySoftware
		for _, name := range []string{"vault", "bao"} {
			if _, err := exec.LookPath(name); err == nil {
				chosen = custodyBinary + name
				break
			}
		}
	case s.Custody == custodyAddress:
		return fmt.Errorf("the keys of the state folder %s are in %s: set VAULT_ADDR and VAULT_TOKEN as before (make dev-vault does), or remove the folder", d.state.dir, s.Custody)
	}
	if s.Custody != "" && s.Custody != chosen {
		return fmt.Errorf("the keys of the state folder %s are in %s, and this start would use %s: start it as before (%s), or remove the folder",
			d.state.dir, s.Custody, chosen, howToStart(s.Custody))
	}
	s.Custody = chosen
	return d.state.writeJSON("secrets.json", s)
}

// howToStart names the command of a working copy that uses this custody.
func howToStart(custody string) string {
	if custody == custodyAddress {
		return "make dev-vault, or with the same VAULT_ADDR"
	}
	return "make dev, without VAULT_ADDR"
}

func (d *dev) checkVaultAddress() error {
	if d.getenv("VAULT_TOKEN") == "" {
		return errors.New("VAULT_ADDR is set but VAULT_TOKEN is not: gatehouse dev needs a token that may mount transit and write policies")
	}
	if u, err := url.Parse(d.getenv("VAULT_ADDR")); err == nil && u.Scheme == "http" && !loopbackName(u.Hostname()) {
		return errors.New("VAULT_ADDR must be https, or the Vault token crosses the network in the clear")
	}
	return nil
}

// openCustody brings up what was chosen and says in cfg how the service gets at it.
func (d *dev) openCustody(ctx context.Context, cfg *config) error {
	chosen := d.state.secrets.Custody
	if chosen == custodySoftware {
		cfg.SoftwareCustody = d.state.path("keys")
		return nil
	}
	admin := custody.VaultConfig{Address: d.getenv("VAULT_ADDR"), Namespace: d.getenv("VAULT_NAMESPACE"), CAFile: d.getenv("VAULT_CACERT"),
		Login: custody.VaultLogin{Token: custody.Secret(d.getenv("VAULT_TOKEN"))}}
	if name, installed := strings.CutPrefix(chosen, custodyBinary); installed {
		binary, err := exec.LookPath(name)
		if err != nil {
			return fmt.Errorf("the keys of the state folder %s are in %s, and there is no %s on PATH now: install it again, or remove the folder",
				d.state.dir, chosen, name)
		}
		address, token, err := d.runVault(ctx, binary)
		if err != nil {
			return err
		}
		admin = custody.VaultConfig{Address: address, Login: custody.VaultLogin{Token: custody.Secret(token)}}
	}
	serving, provisioning, err := custody.Bootstrap(ctx, admin)
	if err != nil {
		return fmt.Errorf("cannot prepare the Vault at %s: %w", admin.Address, err)
	}
	cfg.Vault = admin
	cfg.Vault.Login = serving
	cfg.VaultProvisioner = provisioning
	return nil
}
