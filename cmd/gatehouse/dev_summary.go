package main

import (
	"fmt"
	"strings"
)

// publish writes the facts of this run for scripts (dev.json) and for a shell (env).
func (d *dev) publish(cfg config, f devFile) error {
	if err := d.state.writeJSON("dev.json", f); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Shell variables of this development platform: . " + d.state.path("env") + "\n")
	set := func(name, value string) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	set("SHARED", f.URL)
	set(devStateVariable, d.state.dir)
	if f.MailURL != "" {
		set("MAILS", f.MailURL)
	}
	set("PLATFORM_KEY", f.Platform.APIKey)
	for _, t := range f.Tenants {
		name := strings.ToUpper(string(t.Slug))
		set(name, cfg.Address.Origin(t.Host))
		set(name+"_ID", t.ID.String())
		set(name+"_KEY", t.AdminAPIKey)
		set(name+"_EMAIL", string(t.Users[0].Email))
		set(name+"_PASSWORD", t.Users[0].Password)
		for _, u := range t.Users {
			if u.TOTPSecret != "" {
				set(name+"_TOTP_EMAIL", string(u.Email))
				set(name+"_TOTP_PASSWORD", u.Password)
			}
		}
	}
	b.WriteString("# For operators' commands, such as gatehouse tenant list.\n")
	set("GATEHOUSE_PUBLIC_URL", f.URL)
	set("GATEHOUSE_TENANT_DOMAIN", string(cfg.TenantDomain))
	set("GATEHOUSE_REGION", cfg.Region)
	set("GATEHOUSE_DATABASE_URL", string(cfg.DatabaseURL))
	set("GATEHOUSE_PROVISIONER_DATABASE_URL", string(cfg.ProvisionerURL))
	if cfg.SoftwareCustody != "" {
		set(softwareCustody, cfg.SoftwareCustody)
	} else {
		set("GATEHOUSE_VAULT_ADDR", cfg.Vault.Address)
		set("GATEHOUSE_VAULT_NAMESPACE", cfg.Vault.Namespace)
		set("GATEHOUSE_VAULT_CA_FILE", cfg.Vault.CAFile)
		set("GATEHOUSE_VAULT_ROLE_ID", cfg.Vault.Login.RoleID)
		set("GATEHOUSE_VAULT_SECRET_ID", string(cfg.Vault.Login.SecretID))
		set("GATEHOUSE_VAULT_PROVISIONER_ROLE_ID", cfg.VaultProvisioner.RoleID)
		set("GATEHOUSE_VAULT_PROVISIONER_SECRET_ID", string(cfg.VaultProvisioner.SecretID))
	}
	return d.state.write("env", []byte(b.String()))
}

func (d *dev) summary(cfg config, f devFile) {
	w := d.stdout
	custodian := "the Vault at " + cfg.Vault.Address
	if cfg.SoftwareCustody != "" {
		custodian = "files, by the built-in software custodian: for development only (make dev-vault uses a real Vault)"
	}
	fmt.Fprintf(w, "\ngatehouse is running. Ctrl-C stops it.\n\n")
	fmt.Fprintf(w, "  shared host  %s\n", f.URL)
	for _, t := range f.Tenants {
		fmt.Fprintf(w, "  %-12s %s\n", t.Slug, cfg.Address.Origin(t.Host))
		for _, u := range t.Users {
			owes := ""
			if u.TOTPSecret != "" {
				owes = ", and a code: bin/gatehouse dev code"
			}
			fmt.Fprintf(w, "  %-12s   %-20s %s  (%s%s)\n", "", u.Email, u.Password, u.Role, owes)
		}
	}
	mails := f.MailURL
	if mails == "" {
		mails = "handed to the server of --smtp"
	}
	fmt.Fprintf(w, "\n  mails        %s\n", mails)
	fmt.Fprintf(w, "  keys         %s\n", custodian)
	fmt.Fprintf(w, "  state        %s   (remove this folder to start afresh)\n", d.state.dir)
	fmt.Fprintf(w, "  for scripts  dev.json there; for a shell:  . %s\n", d.state.path("env"))
	fmt.Fprintf(w, "  log          %s\n", d.state.path("gatehouse.log"))
	acme := f.Tenants[0]
	fmt.Fprintf(w, "\nOpen %s/ in a browser and sign in. Or:\n\n  curl -s %s/v1/auth/login -H 'Content-Type: application/json' \\\n    -d '{\"email\":\"%s\",\"password\":\"%s\"}'\n\n",
		cfg.Address.Origin(acme.Host), cfg.Address.Origin(acme.Host), acme.Users[0].Email, acme.Users[0].Password)
}
