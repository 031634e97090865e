package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/pages"
	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/openapi"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// handler is the whole HTTP surface. Each feature mounts its own routes; what every answer shares is around them.
func (p *platform) handler(h *health) http.Handler {
	r := mux.NewRouter().SkipClean(true) // a path that needs cleaning is unknown, not redirected

	h.Mount(r)
	openapi.Mount(r)
	(&identity.Discovery{Front: p.front, Address: p.config.Address, Keyring: p.keyring, Now: p.now}).Mount(r)

	p.logins.Mount(r, p.front, p.guard)
	p.sessions.Mount(r, p.guard)
	identity.MountProviders(r, p.front, p.directory, p.settings)
	p.profiles.Mount(r, p.guard)
	p.links.Mount(r, p.front, p.guard)
	(&identity.Activity{Log: p.audit}).Mount(r, p.guard)

	p.desk.Mount(r, p.front)
	p.factors.Mount(r, p.guard)

	p.settings.Mount(r, p.guard)
	p.policies.Mount(r, p.guard)
	p.transfers.Mount(r, p.guard)
	p.users.Mount(r, p.guard)
	p.apiKeys.Mount(r, p.guard)
	p.domains.Mount(r, p.guard)
	p.audit.Mount(r, p.guard)

	(&tenancy.Platform{Provisioner: p.provision, Directory: p.directory, Repeat: p.repeat, CheckEmail: canonicalEmail}).Mount(r, p.guard)

	(&tenancy.PlatformKeys{Rotator: p.rotator, Directory: p.directory}).Mount(r, p.guard)
	(&tenancy.PlatformFleet{DB: p.db, Directory: p.directory, Placements: p.provision.Placements}).Mount(r, p.guard)

	people := pages.New(pages.Options{API: r, Front: p.front, Address: p.config.Address, Settings: p.settings, Keys: p.custodian, Now: p.now})
	people.Mount(r)
	r.NotFoundHandler = rest.Handler(people.NotFound)

	return rest.Middleware(rest.Options{
		Log: p.log, HTTPS: p.config.Address.Secure(), TrustedProxies: p.config.TrustedProxies,
	})(tenancy.PathPrefix(p.settings.CORS(p.front)(r)))
}

func canonicalEmail(s string) (string, error) {
	e, err := identity.ParseEmail(s)
	return string(e), err
}
