package settings

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

const (
	maxOrigins    = 50
	maxReturnURLs = 20
	maxAddress    = 500 // bytes of one of either
)

// Allows reports whether pages of an origin may call the service with a browser. It is compared letter by letter: there
// are no patterns, because a pattern lets in whoever can name a host.
func (s Settings) Allows(origin string) bool { return slices.Contains(s.AllowedOrigins, origin) }

// checkAddresses judges the origins and addresses of a tenant's own applications.
func (s Settings) checkAddresses(bad map[string]string) {
	if len(s.AllowedOrigins) > maxOrigins || slices.ContainsFunc(s.AllowedOrigins, func(o string) bool { return checkOrigin(o) != nil }) {
		bad["allowed_origins"] = "must be at most " + strconv.Itoa(maxOrigins) + " origins such as https://app.example.com, as browsers write them"
	}
	if len(s.ReturnURLs) > maxReturnURLs || slices.ContainsFunc(s.ReturnURLs, func(u string) bool { return checkReturnURL(u) != nil }) {
		bad["return_urls"] = "must be at most " + strconv.Itoa(maxReturnURLs) + " https addresses such as https://app.example.com/signed-in, without fragment and wildcard"
	}
}

var errAddress = errors.New("settings: not an address of an application")

// checkOrigin wants the origin as a browser sends it (RFC 6454 section 6.2): another spelling would never match.
func checkOrigin(s string) error {
	u, err := parseAddress(s)
	if err != nil || s != u.Scheme+"://"+u.Host {
		return errAddress
	}
	return nil
}

// checkReturnURL wants an address that is the same to whoever compares it and to the browser that is sent there.
func checkReturnURL(s string) error {
	u, err := parseAddress(s)
	if err != nil || u.Path == "" || s != u.String() || strings.ContainsAny(s, "#*\\") {
		return errAddress
	}
	if u.Path != "/" && u.JoinPath().Path != u.Path { // dots and empty segments are resolved by some and not by others
		return errAddress
	}
	return nil
}

// parseAddress reads what both have in common: https, or http on the machine itself, where applications are developed.
func parseAddress(s string) (*url.URL, error) {
	if len(s) > maxAddress || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errAddress
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" {
		return nil, errAddress
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u.Hostname())) {
		return nil, errAddress
	}
	if h, err := tenancy.ParseHost(u.Hostname()); (err != nil || string(h) != u.Hostname()) && !loopback(u.Hostname()) {
		return nil, errAddress
	}
	return u, checkPort(u)
}

func onThisMachine(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" }

// checkPort refuses a port that browsers leave out, and one they write otherwise.
func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port || port == map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		return errAddress
	}
	return nil
}
