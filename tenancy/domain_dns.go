package tenancy

import (
	"context"
	"errors"
	"net"
)

// Resolver of TXT records by DNS.
type dns struct{ resolver *net.Resolver }

// NewTXT asks the DNS server at address (host:port), or the machine's own resolver where address is empty.
func NewTXT(address string) TXT {
	if address == "" {
		return dns{net.DefaultResolver}
	}
	return dns{&net.Resolver{
		PreferGo: true, // the C library would not use our server
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}}
}

// LookupTXT asks for the name as it is: the final dot keeps the search list of resolv.conf out of it.
func (d dns) LookupTXT(ctx context.Context, name string) ([]string, error) {
	values, err := d.resolver.LookupTXT(ctx, name+".")
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return nil, nil
	}
	return values, err
}
