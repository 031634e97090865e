// Package pages is what people see of the service: sign-in, recovery, their account, and the consoles of administrators.
//
//	browser --form--> page --Inner--> the service's own API --> Logins, Links, Users ...
//	   ^                |
//	   '-- cookie, <----'      a page holds what any client of the API would hold, and may do what it may
//	       next page
//
// A page is a client of the wire contract that runs in the same process (docs/decisions/0026). It has no other way to a
// token, a right or a row than the operation that everybody has, so rules, limits and the audit log hold for both.
//
// What a browser keeps between pages is in cookies: session holds the access and the refresh token of a sign-in, as the
// API gave them out; flow holds what is under way and message what the next page has to say, both sealed. Nothing is kept in memory.
//
// Traps known here. A page must work without its script, except where the browser's authenticators are asked. Forms are
// answered by redirects, so that "back" and "reload" repeat nothing, but for long ones that were refused, which keep what
// was typed. An address to go on to is never taken from a request without being held against a list: of the tenant's
// return URLs, or of our own pages.
package pages

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// Pages serves them.
type Pages struct {
	Options
	flowKeys *tenancy.PerTenant[[]byte]
}

// Options configures New.
type Options struct {
	API      http.Handler // every operation of the service, by its path
	Front    tenancy.Front
	Address  tenancy.Address
	Settings *settings.Store
	Keys     custody.Custodian
	Now      func() time.Time
}

// New makes a Pages.
func New(o Options) *Pages {
	p := &Pages{Options: o}
	p.flowKeys = tenancy.NewPerTenant(p.flowKey)
	return p
}

// flowKey makes the key that a tenant's flows are sealed with.
func (p *Pages) flowKey(ctx context.Context, t tenancy.Tenant) ([]byte, error) {
	key, _, err := p.Keys.HMAC(ctx, t.ID, 1, []byte("gatehouse/pages-flow/1\x00"+t.ID.String()))
	return key, tenancy.KeysError(err)
}
