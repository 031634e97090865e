package pages

import (
	"net/url"
	"strings"
	"time"
)

// The console of a tenant's administrators. What a user may do there is for the tenant's rules to say, operation by
// operation: somebody whom they let look up people and nothing else sees the list of them, and is refused the rest.

// mountConsole adds its pages.
func (p *Pages) mountConsole(at func(string, on)) {
	at("/console", on{get: needs(func(v *visit) error { return v.redirect("/console/users") })})
	at("/console/users", on{get: needs((*visit).users)})
	at("/console/users/invite", on{get: needs((*visit).askInvite), post: needs((*visit).invite)})
	at("/console/user", on{get: needs((*visit).user), post: needs((*visit).changeUser)})
	at("/console/user/act", on{get: needs((*visit).askActOnUser), post: needs((*visit).actOnUser)})
	at("/console/domains", on{get: needs((*visit).domains), post: needs((*visit).addDomain)})
	at("/console/domains/act", on{get: needs((*visit).askActOnDomain), post: needs((*visit).actOnDomain)})
	at("/console/branding", on{get: needs((*visit).branding), post: needs((*visit).changeBranding), body: brandingBytes})
	at("/console/settings", on{get: needs((*visit).settings), post: needs((*visit).changeSettings)})
	at("/console/policies", on{get: needs((*visit).policies)})
	at("/console/policies/new", on{get: needs((*visit).newPolicy), post: needs((*visit).addPolicy), body: policyBytes})
	at("/console/policy", on{get: needs((*visit).policy), post: needs((*visit).changePolicy), body: policyBytes})
	at("/console/policy/delete", on{get: needs((*visit).askDeletePolicy), post: needs((*visit).deletePolicy)})
	at("/console/policies/rehearse", on{get: needs((*visit).askRehearsal), post: needs((*visit).rehearse), body: policyBytes, time: longWork})
	at("/console/keys", on{get: needs((*visit).keys), post: needs((*visit).addKey)})
	at("/console/keys/made", on{get: needs((*visit).madeKey), post: needs((*visit).keptKey)})
	at("/console/keys/revoke", on{get: needs((*visit).askRevokeKey), post: needs((*visit).revokeKey)})
	at("/console/audit", on{get: needs((*visit).auditLog), time: longWork})
}

// longWork is as long as the past of a tenant, or its log, may take to be read.
const longWork = 2*time.Minute + 10*time.Second

const (
	brandingBytes = 96 << 10  // a logo, and what a form adds to it
	policyBytes   = 600 << 10 // the longest policy, each of its bytes escaped
)

// with is a page of ours with one parameter, for links to one thing among many.
func (v *visit) with(path, name, value string) string {
	return v.Page(path) + "?" + url.Values{name: {value}}.Encode()
}

// One is where the page of one thing is.
func (v *visit) One(path, id string) string { return v.with(path, "id", id) }

// Act is where is asked whether to do something to one thing.
func (v *visit) Act(path, id, do string) string {
	return v.Page(path) + "?" + url.Values{"id": {id}, "do": {do}}.Encode()
}

// one is the id of the thing that a page is about.
func (v *visit) one() string {
	if id := v.form("id"); id != "" {
		return id
	}
	return v.r.URL.Query().Get("id")
}

// acted leads back after something was done to a thing, or says why not.
func (v *visit) acted(err error, back, said string) error {
	switch {
	case refused(err, "reauthentication_required") != nil:
		return v.reauthenticate(strings.TrimPrefix(back, v.base))
	case err != nil:
		return v.backTo(back, err)
	}
	if err := v.says(message{Done: said}); err != nil {
		return err
	}
	v.to(back)
	return nil
}
