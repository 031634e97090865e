package tenancy

import (
	"errors"
	"net/url"
	"strings"
)

// Address is where the platform is reached: the shared host that serves every tenant under /t/{slug}, and the scheme
// and port that vanity domains have in common with it.
type Address struct {
	scheme string
	shared Host
	port   string // empty where it is the scheme's own
}

var defaultPort = map[string]string{"https": "443", "http": "80"}

// ParseAddress reads the platform's public URL, such as https://id.example.com. It has a scheme and a host and nothing
// behind them.
func ParseAddress(publicURL string) (Address, error) {
	u, err := url.Parse(publicURL)
	if err != nil || defaultPort[u.Scheme] == "" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Address{}, errors.New("must be a URL such as https://id.example.com, with no path")
	}
	host, err := ParseHost(u.Hostname())
	if err != nil {
		return Address{}, err
	}
	a := Address{scheme: u.Scheme, shared: host, port: u.Port()}
	if a.port == defaultPort[a.scheme] {
		a.port = ""
	}
	return a, nil
}

// Secure reports whether clients reach the platform by TLS.
func (a Address) Secure() bool { return a.scheme == "https" }

// Shared is the platform's own host.
func (a Address) Shared() Host { return a.shared }

// Host reads a Host header. Only the port clients are given, the scheme's own and none are this service; with any
// other, the request was meant for something else.
func (a Address) Host(header string) (Host, error) {
	name := header
	if i := strings.LastIndexByte(header, ':'); i >= 0 {
		port := header[i+1:]
		name = header[:i]
		if port == "" || (port != a.port && port != defaultPort[a.scheme]) {
			return "", ErrHost
		}
	}
	return ParseHost(name)
}

// Origin is the URL of a host of the platform, without a path.
func (a Address) Origin(h Host) string {
	if a.port == "" {
		return a.scheme + "://" + string(h)
	}
	return a.scheme + "://" + string(h) + ":" + a.port
}
