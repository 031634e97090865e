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
	DomainGrace    time.Duration

	Database            string // the name tenants' records carry; it holds the directory, too
	DatabaseURL         secret
	DatabaseDirectURL   secret // empty: DatabaseURL is
	ProvisionerURL      secret
	DatabaseCapacity    int32
	DatabaseConnections int32 // of all databases together
	Replicas            int32 // that open so many each
	MoreDatabases       []database
	ReadySchemas        int32 // blank ones kept in each

	Vault            custody.VaultConfig
	VaultProvisioner custody.VaultLogin
	SoftwareCustody  string // a directory; gatehouse dev and the commands run beside it

	KeyRotationDays int32 // 0: keys are not replaced by themselves

	Mail mailConfig

	BreachFilter         string // a file
	BreachFilterRequired bool

	MetricsListen string
	LogLevel      slog.Level
	LogFormat     string
	ShutdownDelay time.Duration

	development bool             // made by gatehouse dev and not read from settings
	localNames  bool             // names below localhost need no proof: on a development platform, and for the commands run beside it
	now         func() time.Time // made by tests; nil is the machine's clock
	patient     bool             // made by tests: a busy machine is not an overloaded service
	unsealed    bool             // made by tests: days of the audit log are sealed by the test
}

// secret is text that never prints.
type secret string

// String, GoString and LogValue keep the text out of fmt and slog.
func (secret) String() string       { return "[redacted]" }
func (secret) GoString() string     { return "[redacted]" }
func (secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// check reports, all at once, what is unsafe. Each rule stands for an installation that would seem to work and give its
// secrets away. What is not set is not its business.
func (c *config) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if shared := c.Address.Shared(); shared != "" && !c.Address.Secure() && !loopbackName(string(shared)) {
		refuse("GATEHOUSE_PUBLIC_URL: must be https, or passwords and tokens cross the network in the clear")
	}
	for _, p := range c.TrustedProxies {
		// The largest networks that are anybody's own are 10.0.0.0/8 and fc00::/7; two halves of the internet are all of it.
		if private := netip.MustParsePrefix("fc00::/7"); p.Bits() < 8 && p != private {
			refuse("GATEHOUSE_TRUSTED_PROXIES: %s trusts a good part of the internet to say which tenant a request is for", p)
		}
	}
	if c.BreachFilterRequired && c.BreachFilter == "" {
		refuse("GATEHOUSE_BREACH_FILTER: is required by GATEHOUSE_BREACH_FILTER_REQUIRED")
	}
	errs = append(errs, c.checkDatabases(), c.checkVault(), c.checkMail())
	return errors.Join(errs...)
}

func (c *config) checkVault() error {
	if c.SoftwareCustody != "" || c.Vault.Address == "" {
		return nil
	}
	var errs []error
	u, err := url.Parse(c.Vault.Address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		errs = append(errs, errors.New("GATEHOUSE_VAULT_ADDR: must be a URL such as https://vault.example:8200"))
	case u.User != nil:
		errs = append(errs, errors.New("GATEHOUSE_VAULT_ADDR: must not hold a user and password, which would be logged with it"))
	case u.Scheme == "http" && !loopbackName(u.Hostname()):
		errs = append(errs, errors.New("GATEHOUSE_VAULT_ADDR: must be https, or the Vault token crosses the network in the clear"))
	}
	a, b := c.Vault.Login, c.VaultProvisioner
	errs = append(errs, checkLogin("GATEHOUSE_VAULT_", a), checkLogin("GATEHOUSE_VAULT_PROVISIONER_", b))
	if a.Token != "" && a.Token == b.Token || a.RoleID != "" && a.RoleID == b.RoleID || a.KubernetesRole != "" && a.KubernetesRole == b.KubernetesRole {
		errs = append(errs, errors.New("GATEHOUSE_VAULT_PROVISIONER_...: must be another login than GATEHOUSE_VAULT_..., or requests are served with the right to destroy keys"))
	}
	return errors.Join(errs...)
}

func checkLogin(prefix string, l custody.VaultLogin) error {
	ways := 0
	for _, chosen := range []bool{l.Token != "", l.RoleID != "", l.KubernetesRole != ""} {
		if chosen {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("%[1]sTOKEN, %[1]sROLE_ID, %[1]sKUBERNETES_ROLE: exactly one of them is needed", prefix)
	}
	if l.RoleID != "" && (l.SecretID == "") == (l.SecretIDFile == "") {
		return fmt.Errorf("%[1]sSECRET_ID, %[1]sSECRET_ID_FILE: exactly one of them is needed beside %[1]sROLE_ID", prefix)
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

func parseHostPort(text string) (string, error) {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", errors.New("must be HOST:PORT; without HOST every address of the machine is meant")
	}
	return text, nil
}

func parseLevel(text string) (l slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, text) {
		return l, errors.New("must be debug, info, warn or error")
	}
	return l, l.UnmarshalText([]byte(text))
}

func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > time.Minute {
		return 0, errors.New("must be a time from 0s to 1m")
	}
	return d, nil
}

func parseGrace(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Hour || d > 30*24*time.Hour {
		return 0, errors.New("must be a time from 1h to 720h")
	}
	return d, nil
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errors.New("must be true or false")
	}
	return text == "true", nil
}

func parseCount(text string, low, high int) (int32, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("must be a number from %d to %d", low, high)
	}
	return int32(n), nil //nolint:gosec // bounded just above
}
