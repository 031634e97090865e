package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// config is everything an installation is told. settings.go documents each field and says which variable and flag set
// it.
type config struct {
	Listen         string
	Address        tenancy.Address
	TenantDomain   tenancy.Host
	TrustedProxies []netip.Prefix
	Region         string
	DNSServer      string

	Database            string // the name tenants' records carry
	DatabaseURL         secret
	ProvisionerURL      secret
	DatabaseConnections int32

	Vault            custody.VaultConfig
	VaultProvisioner custody.VaultLogin
	SoftwareCustody  string // a directory; gatehouse dev and the commands run beside it

	LogLevel      slog.Level
	LogFormat     string
	ShutdownDelay time.Duration

	development bool // made by gatehouse dev and not read from settings
}

// secret is text that never prints.
type secret string

// String, GoString and LogValue keep the text out of fmt and slog.
func (secret) String() string       { return "[redacted]" }
func (secret) GoString() string     { return "[redacted]" }
func (secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// check reports, all at once, what is missing or unsafe. Each rule stands for an installation that would seem to work
// and give its secrets away.
func (c *config) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if !c.Address.Secure() && !loopbackName(string(c.Address.Shared())) {
		refuse("GATEHOUSE_PUBLIC_URL: must be https, or passwords and tokens cross the network in the clear")
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			refuse("GATEHOUSE_TRUSTED_PROXIES: %s trusts the whole internet to say which tenant a request is for", p)
		}
	}
	if c.DatabaseURL == c.ProvisionerURL {
		refuse("GATEHOUSE_PROVISIONER_DATABASE_URL: must be another role than GATEHOUSE_DATABASE_URL, or requests are served with the right to every tenant's tables")
	}
	for name, u := range map[string]secret{"GATEHOUSE_DATABASE_URL": c.DatabaseURL, "GATEHOUSE_PROVISIONER_DATABASE_URL": c.ProvisionerURL} {
		if err := safeDatabase(u); err != nil {
			refuse("%s: %w", name, err)
		}
	}
	if c.SoftwareCustody == "" {
		if u, err := url.Parse(c.Vault.Address); err == nil && u.Scheme == "http" && !loopbackName(u.Hostname()) {
			refuse("GATEHOUSE_VAULT_ADDR: must be https, or the Vault token crosses the network in the clear")
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func safeDatabase(u secret) error {
	c, err := pgxpool.ParseConfig(string(u))
	if err != nil {
		return errors.New("is not a Postgres URL") // the parser's own words may hold the password
	}
	if c.ConnConfig.User == "postgres" {
		return errors.New("must not be the superuser")
	}
	for _, f := range append(c.ConnConfig.Fallbacks, nil) {
		tls, host := c.ConnConfig.TLSConfig, c.ConnConfig.Host
		if f != nil {
			tls, host = f.TLSConfig, f.Host
		}
		if tls == nil && !loopbackName(host) && !strings.HasPrefix(host, "/") {
			return errors.New("needs sslmode=verify-full (or require), or rows and passwords cross the network in the clear")
		}
	}
	return nil
}

// loopbackName reports a name that never leaves the machine.
func loopbackName(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func parsePrefixes(text string) (all []netip.Prefix, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, errors.New("must be networks such as 10.0.0.0/8, separated by commas")
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func parseCount(text string, low, high int) (int32, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("must be a number from %d to %d", low, high)
	}
	return int32(n), nil //nolint:gosec // bounded just above
}
