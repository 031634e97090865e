package rest

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func TestTheClientIsTheRightmostAddressNoProxyOfOursHas(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no header", "192.0.2.1:80", nil, "192.0.2.1"},
		{"an untrusted peer is not believed", "192.0.2.1:80", []string{"198.51.100.1"}, "192.0.2.1"},
		{"a trusted peer without the header is the client", "10.1.1.1:80", nil, "10.1.1.1"},
		{"a trusted peer is believed", "10.1.1.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client wrote itself comes first and is ignored", "10.1.1.1:80", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"proxies of ours are passed over", "10.1.1.1:80", []string{"1.1.1.1, 198.51.100.1,10.2.2.2 , 10.3.3.3"}, "198.51.100.1"},
		{"several headers are one list", "10.1.1.1:80", []string{"1.1.1.1", "198.51.100.1, 10.2.2.2", "10.3.3.3"}, "198.51.100.1"},
		{"only proxies: the farthest", "10.1.1.1:80", []string{"10.2.2.2, 10.3.3.3"}, "10.2.2.2"},
		{"garbage is counted against who handed it over", "10.1.1.1:80", []string{"198.51.100.1, garbage, 10.2.2.2"}, "10.2.2.2"},
		{"an empty value too", "10.1.1.1:80", []string{""}, "10.1.1.1"},
		{"a trailing comma too", "10.1.1.1:80", []string{"198.51.100.1,"}, "10.1.1.1"},
		{"ports are dropped", "10.1.1.1:80", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6 with a port", "[fd00::1]:80", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"zones are dropped, they are many names for one peer", "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"mapped IPv4 is IPv4", "[::ffff:10.1.1.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a peer without an address", "@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			if got := clientAddr(r, proxies); got.String() != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

func TestTheForwardedHostIsBelievedFromProxiesAlone(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no header", "10.1.1.1:80", nil, "own.example"},
		{"an untrusted peer", "192.0.2.1:80", []string{"evil.example"}, "own.example"},
		{"a trusted peer", "10.1.1.1:80", []string{"acme.example"}, "acme.example"},
		{"the last of several values", "10.1.1.1:80", []string{"evil.example, acme.example"}, "acme.example"},
		{"the last of several headers", "10.1.1.1:80", []string{"evil.example", "acme.example"}, "acme.example"},
		{"an empty value names no host, ours neither", "10.1.1.1:80", []string{"acme.example,"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr, r.Host = c.peer, "own.example"
			r.Header["X-Forwarded-Host"] = c.forwarded
			if got := ForwardedHost(r, proxies); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
