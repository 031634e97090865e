package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// setting is one thing an installation is told: a variable, and a flag of the same name that goes before it.
type setting struct {
	name     string // GATEHOUSE_NAME; the flag is --name in lower case with dashes
	fallback string
	doc      string
	secret   bool // has no flag: arguments can be read by everybody on the machine
	flagless bool // has no flag either: a command has one of that name which means something else
	required bool
	set      func(c *config, text string) error
}

func (s setting) env() string   { return "GATEHOUSE_" + s.name }
func (s setting) flagged() bool { return !s.secret && !s.flagless }
func (s setting) flag() string  { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }

// settings is the one list of them: help, docs/configuration.md and the parser are made from it.
var settings = []setting{
	{name: "LISTEN", fallback: ":8080", doc: "Address the server listens on, as HOST:PORT.",
		set: func(c *config, s string) (err error) { c.Listen, err = parseHostPort(s); return err }},
	{name: "PUBLIC_URL", required: true, doc: "URL of the platform's shared host, as clients see it. Its scheme and port hold for vanity domains too.",
		set: func(c *config, s string) (err error) { c.Address, err = tenancy.ParseAddress(s); return err }},
	{name: "TENANT_DOMAIN", doc: "If set, each new tenant gets {slug}.TENANT_DOMAIN as its first domain. Point a wildcard record at the service.",
		set: func(c *config, s string) (err error) { c.TenantDomain, err = tenancy.ParseHost(s); return err }},
	{name: "TRUSTED_PROXIES", doc: "Networks whose X-Forwarded-For and X-Forwarded-Host are believed, separated by commas. From anybody else they are ignored.",
		set: func(c *config, s string) (err error) { c.TrustedProxies, err = parsePrefixes(s); return err }},
	{name: "REGION", required: true, doc: "Name of the region this installation serves. Tenants are made in it.",
		set: func(c *config, s string) error { c.Region = s; return nil }},
	{name: "DNS_SERVER", doc: "HOST:PORT of the DNS server asked for the proof of a domain. Default: the machine's resolver.",
		set: func(c *config, s string) (err error) { c.DNSServer, err = parseHostPort(s); return err }},
	{name: "DOMAIN_GRACE", fallback: "72h", doc: "How long the record that proves a domain may be missing before the domain is lost, from 1h to 720h.",
		set: func(c *config, s string) (err error) { c.DomainGrace, err = parseGrace(s); return err }},

	{name: "DATABASE", fallback: "shared-1", flagless: true, doc: "Name of the database, as tenants' records carry it. Never change it once there are tenants.",
		set: func(c *config, s string) error { c.Database = s; return nil }},
	{name: "DATABASE_URL", required: true, secret: true, doc: "Postgres URL of the serving role: NOINHERIT, owner of nothing.",
		set: func(c *config, s string) error { c.DatabaseURL = secret(s); return nil }},
	{name: "DATABASE_DIRECT_URL", secret: true, doc: "Where DATABASE_URL leads through PgBouncer or another connection pooler: URL of the same role at the server itself, for announcements and mails. See docs/scaling.md.",
		set: func(c *config, s string) error { c.DatabaseDirectURL = secret(s); return nil }},
	{name: "PROVISIONER_DATABASE_URL", required: true, secret: true, doc: "Postgres URL of the provisioning role, which makes tenants and migrates. It leads to the server itself, never through a pooler.",
		set: func(c *config, s string) error { c.ProvisionerURL = secret(s); return nil }},
	{name: "DATABASE_CAPACITY", fallback: "1000", doc: "Tenants that this database is meant for, from 0 to 2000. It holds the directory of tenants too, also with 0.",
		set: func(c *config, s string) (err error) {
			c.DatabaseCapacity, err = parseCount(s, 0, maxCapacity)
			return err
		}},
	{name: "DATABASES_FILE", doc: "JSON file that names more databases for tenants, with their URLs: see docs/scaling.md.",
		set: func(c *config, s string) (err error) { c.MoreDatabases, err = readDatabases(s); return err }},
	{name: "DATABASE_CONNECTIONS", fallback: "10", doc: "Connections of the serving roles this replica opens at most, over all databases, from 2 to 200. For each database there are one for announcements, up to 3 for provisioning, one to end moves and up to 4 for mails besides.",
		set: func(c *config, s string) (err error) {
			c.DatabaseConnections, err = parseCount(s, fewestConnections, 200)
			return err
		}},

	{name: "READY_SCHEMAS", fallback: "8", doc: "Blank schemas kept ready in each database, from 0 to 100, with which a tenant is made at once. More are for installations where many sign up in the same minute.",
		set: func(c *config, s string) (err error) { c.ReadySchemas, err = parseCount(s, 0, 100); return err }},
	{name: "REPLICAS", fallback: "1", doc: "Replicas that run beside each other, from 1 to 1000. At the start, and by gatehouse doctor, the connections of all are held against what each database server allows.",
		set: func(c *config, s string) (err error) { c.Replicas, err = parseCount(s, 1, 1000); return err }},

	{name: "VAULT_ADDR", required: true, doc: "URL of Vault.",
		set: func(c *config, s string) error { c.Vault.Address = s; return nil }},
	{name: "VAULT_NAMESPACE", doc: "Namespace of Vault Enterprise.",
		set: func(c *config, s string) error { c.Vault.Namespace = s; return nil }},
	{name: "VAULT_CA_FILE", doc: "PEM file with the certificates that Vault's is checked against. Default: those of the system.",
		set: func(c *config, s string) error { c.Vault.CAFile = s; return nil }},
	{name: "VAULT_TRANSIT_MOUNT", fallback: "transit", doc: "Where the transit engine is mounted.",
		set: func(c *config, s string) error { c.Vault.Mount = s; return nil }},
	{name: "VAULT_AUTH_MOUNT", doc: "Where the login method is mounted. Default: approle or kubernetes.",
		set: func(c *config, s string) error { c.Vault.Login.Mount, c.VaultProvisioner.Mount = s, s; return nil }},

	{name: "VAULT_TOKEN", secret: true, doc: "Token of the serving policy. Of token, AppRole and Kubernetes exactly one is needed.",
		set: func(c *config, s string) error { c.Vault.Login.Token = custody.Secret(s); return nil }},
	{name: "VAULT_ROLE_ID", doc: "Role id of the serving AppRole.",
		set: func(c *config, s string) error { c.Vault.Login.RoleID = s; return nil }},
	{name: "VAULT_SECRET_ID", secret: true, doc: "Secret id of the serving AppRole.",
		set: func(c *config, s string) error { c.Vault.Login.SecretID = custody.Secret(s); return nil }},
	{name: "VAULT_SECRET_ID_FILE", doc: "File that holds the secret id instead; read at each login.",
		set: func(c *config, s string) error { c.Vault.Login.SecretIDFile = s; return nil }},
	{name: "VAULT_KUBERNETES_ROLE", doc: "Serving role of Vault's Kubernetes login.",
		set: func(c *config, s string) error { c.Vault.Login.KubernetesRole = s; return nil }},
	{name: "VAULT_KUBERNETES_TOKEN_FILE", doc: "File with the pod's service account token. Default: where Kubernetes puts it.",
		set: func(c *config, s string) error { c.Vault.Login.JWTFile, c.VaultProvisioner.JWTFile = s, s; return nil }},
	{name: "VAULT_PROVISIONER_TOKEN", secret: true, doc: "Token of the provisioning policy. Of token, AppRole and Kubernetes exactly one is needed.",
		set: func(c *config, s string) error { c.VaultProvisioner.Token = custody.Secret(s); return nil }},
	{name: "VAULT_PROVISIONER_ROLE_ID", doc: "Role id of the provisioning AppRole.",
		set: func(c *config, s string) error { c.VaultProvisioner.RoleID = s; return nil }},
	{name: "VAULT_PROVISIONER_SECRET_ID", secret: true, doc: "Secret id of the provisioning AppRole.",
		set: func(c *config, s string) error { c.VaultProvisioner.SecretID = custody.Secret(s); return nil }},
	{name: "VAULT_PROVISIONER_SECRET_ID_FILE", doc: "File that holds the secret id instead; read at each login.",
		set: func(c *config, s string) error { c.VaultProvisioner.SecretIDFile = s; return nil }},
	{name: "VAULT_PROVISIONER_KUBERNETES_ROLE", doc: "Provisioning role of Vault's Kubernetes login.",
		set: func(c *config, s string) error { c.VaultProvisioner.KubernetesRole = s; return nil }},

	{name: "KEY_ROTATION_DAYS", fallback: "90", doc: "Age at which a tenant's signing key is replaced by a new one, from 0 to 3650 days; tenants are spread over the last tenth of it. 0: only on request.",
		set: func(c *config, s string) (err error) { c.KeyRotationDays, err = parseCount(s, 0, 3650); return err }},

	{name: "SMTP_URL", doc: "Server that mails are handed to: smtp://USER@HOST:PORT with STARTTLS, or smtps:// with TLS from the start. Without one, mails wait.",
		set: func(c *config, s string) error { return parseMailServer(s, &c.Mail.Server) }},
	{name: "SMTP_PASSWORD", secret: true, doc: "Password of the user in SMTP_URL.",
		set: func(c *config, s string) error { c.Mail.Password = secret(s); return nil }},
	{name: "SMTP_CA_FILE", doc: "PEM file with the certificates that the mail server's is checked against. Default: those of the system.",
		set: func(c *config, s string) (err error) { c.Mail.Server.CAs, err = readCertificates(s); return err }},
	{name: "MAIL_FROM", doc: "Address that mails come from, such as no-reply@id.example. The name before it is the tenant's.",
		set: func(c *config, s string) (err error) { c.Mail.From, err = parseMailFrom(s); return err }},

	{name: "BREACH_FILTER", doc: "File of passwords that were found in breaches, made by `gatehouse passwords build-filter`. New passwords that are in it are refused.",
		set: func(c *config, s string) error { c.BreachFilter = s; return nil }},
	{name: "BREACH_FILTER_REQUIRED", fallback: "false", doc: "true: without a whole BREACH_FILTER the server does not start, and while it cannot be read no password is set. false: it is logged, and passwords are set without it.",
		set: func(c *config, s string) (err error) { c.BreachFilterRequired, err = parseBool(s); return err }},

	{name: "METRICS_LISTEN", doc: "Address that metrics for Prometheus are served on, as HOST:PORT, at /metrics. It asks nobody who they are: keep it in your own network. Default: none are served.",
		set: func(c *config, s string) (err error) { c.MetricsListen, err = parseHostPort(s); return err }},
	{name: "LOG_LEVEL", fallback: "info", doc: "debug, info, warn or error.",
		set: func(c *config, s string) (err error) { c.LogLevel, err = parseLevel(s); return err }},
	{name: "LOG_FORMAT", fallback: "json", doc: "json or text.",
		set: func(c *config, s string) error {
			if c.LogFormat = s; s != "json" && s != "text" {
				return errors.New("must be json or text")
			}
			return nil
		}},
	{name: "SHUTDOWN_DELAY", fallback: "5s", doc: "How long /readyz says no before the server stops accepting, so that load balancers notice.",
		set: func(c *config, s string) (err error) { c.ShutdownDelay, err = parseDelay(s); return err }},
}

// softwareCustody is set by the files gatehouse dev writes for the commands run beside it. serve refuses it.
const softwareCustody = "GATEHOUSE_DEV_CUSTODY"

// addFlags gives a command a flag for every setting that is no secret. They are hidden from cobra's list of flags: help
// has the settings as one list, secrets included.
func addFlags(c *cobra.Command) {
	for _, s := range settings {
		if s.flagged() {
			c.Flags().String(s.flag(), "", s.doc)
			_ = c.Flags().MarkHidden(s.flag()) // the only error is an unknown flag
		}
	}
	if c.Long == "" {
		c.Long = c.Short + "."
	}
	c.Long += "\n\nIt takes the settings of gatehouse serve; see its help."
}

// settingsHelp is the list of settings for a terminal.
func settingsHelp() string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString("  " + s.env())
		if s.flagged() {
			b.WriteString("  --" + s.flag())
		}
		b.WriteString(s.note() + "\n      " + s.doc + "\n")
	}
	return b.String()
}

// note says whether a setting is needed, or what holds without it.
func (s setting) note() string {
	switch {
	case s.required:
		return "  (required)"
	case s.fallback != "":
		return "  (default " + s.fallback + ")"
	}
	return ""
}

// readConfig reads flags and environment and reports everything that is wrong at once, what is unsafe included. What was
// told wrongly is not judged further.
func readConfig(c *cobra.Command, getenv func(string) string) (config, error) {
	cfg := config{SoftwareCustody: getenv(softwareCustody)}
	var errs []error
	for _, s := range settings {
		text := getenv(s.env())
		if f := c.Flags().Lookup(s.flag()); f != nil && f.Changed && s.flagged() {
			text = f.Value.String()
		}
		if text == "" {
			text = s.fallback
		}
		if text == "" {
			if s.required && (cfg.SoftwareCustody == "" || s.name != "VAULT_ADDR") {
				errs = append(errs, fmt.Errorf("%s: is required: %s", s.env(), s.doc))
			}
			continue
		}
		if err := s.set(&cfg, text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.env(), err))
		}
	}
	if err := errors.Join(append(errs, cfg.check())...); err != nil {
		return config{}, fmt.Errorf("configuration:\n%w", err)
	}
	return cfg, nil
}

func (c config) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}
