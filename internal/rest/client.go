package rest

import (
	"net/http"
	"net/netip"
	"strings"
)

// Forwarded headers are claims. They are believed only when the peer that hands them over is a configured proxy, and of
// several values only the part those proxies wrote themselves: what comes first in the header is the client's own text.

// clientAddr is the rightmost address of X-Forwarded-For that is not a trusted proxy, or the peer itself when it is none.
// If a trusted proxy hands over something that is no address, the last address known is taken: the request is counted
// against the proxy rather than against an address of the client's choice.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := peerAddr(r)
	if !addr.IsValid() || !within(trusted, addr) {
		return addr
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for line, more := lines[i], true; more; {
			var hop string
			hop, line, more = lastValue(line)
			next, ok := parseAddr(hop)
			if !ok {
				return addr
			}
			if addr = next; !within(trusted, addr) {
				return addr
			}
		}
	}
	return addr
}

// ForwardedHost is the Host the client asked for: the last X-Forwarded-Host when the peer is a trusted proxy, else the
// request's own. It is as the client wrote it; canonicalise it before use.
func ForwardedHost(r *http.Request, trusted []netip.Prefix) string {
	lines := r.Header["X-Forwarded-Host"]
	if len(lines) == 0 || !within(trusted, peerAddr(r)) {
		return r.Host
	}
	host, _, _ := lastValue(lines[len(lines)-1])
	return host
}

// lastValue cuts the last element off a comma-separated header.
func lastValue(line string) (value, rest string, more bool) {
	if i := strings.LastIndexByte(line, ','); i >= 0 {
		return strings.TrimSpace(line[i+1:]), line[:i], true
	}
	return strings.TrimSpace(line), "", false
}

func peerAddr(r *http.Request) netip.Addr {
	addr, _ := parseAddr(r.RemoteAddr)
	return addr
}

// parseAddr reads an address with or without a port, without its zone and as IPv4 where it is one, so that a peer has one
// spelling for counters and prefixes.
func parseAddr(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

func within(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
