package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Types of entities, as the schema has them.
const (
	userType   types.EntityType = "User"
	roleType   types.EntityType = "Role"
	tenantType types.EntityType = "Tenant"
	actionType types.EntityType = "Action"
)

// cast is the question's principal and resource as Cedar looks them up. It holds nothing of anybody else, so whatever a rule
// says, it learns nothing of another user or tenant.
type cast struct{ user, tenant types.Entity }

// Get is one of the two.
func (c cast) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case c.user.UID:
		return c.user, true
	case c.tenant.UID:
		return c.tenant, true
	}
	return types.Entity{}, false
}

func (q Question) cast() cast {
	s := q.Subject
	roles := make([]types.EntityUID, len(s.Roles))
	for i, r := range s.Roles {
		roles[i] = types.NewEntityUID(roleType, types.String(r))
	}
	_, domain, _ := strings.Cut(s.Email, "@")
	return cast{
		user: types.Entity{
			UID: types.NewEntityUID(userType, types.String(s.ID.String())), Parents: types.NewEntityUIDSet(roles...),
			Attributes: types.NewRecord(types.RecordMap{
				"email": types.String(s.Email), "email_domain": types.String(domain), "email_verified": types.Boolean(s.EmailVerified),
				"owner": types.Boolean(s.Owner), "factors": stringSet(s.Factors), "created": types.NewDatetime(s.Created),
			}),
		},
		tenant: types.Entity{
			UID:        types.NewEntityUID(tenantType, types.String(q.Tenant.String())),
			Attributes: types.NewRecord(types.RecordMap{"slug": types.String(q.Slug)}),
		},
	}
}

// request is the question as Cedar asks it.
func (q Question) request(c cast) cedar.Request {
	return cedar.Request{Principal: c.user.UID, Action: types.NewEntityUID(actionType, types.String(q.Action)), Resource: c.tenant.UID, Context: q.Context.record(q.Action)}
}

func (c Context) record(a Action) types.Record {
	now := c.Now.UTC()
	m := types.RecordMap{
		"now": types.NewDatetime(now), "hour": types.Long(now.Hour()), "weekday": types.String(weekday(now)),
		"method": types.String(c.Method), "amr": stringSet(c.AMR), "acr": types.String(c.ACR()), "agent": types.String(c.agent()),
		"known_device": types.Boolean(c.Standing.KnownDevice), "failures_last_day": types.Long(c.Standing.FailuresLastDay),
	}
	if ip := c.IP.Unmap().WithZone(""); ip.IsValid() { // where it is not known, a rule that asks for it fails, which denies
		m["ip"] = types.IPAddr(netip.PrefixFrom(ip, ip.BitLen()))
	}
	switch a {
	case EnrollFactor:
		m["factor"] = types.String(c.Factor)
	case Exchange:
		m["application"] = types.String(c.Application)
	case CallAPI:
		m["operation"], m["scope"] = types.String(c.Operation), types.String(c.Scope)
	}
	return types.NewRecord(m)
}

func (c Context) agent() string {
	if c.Agent != "" {
		return c.Agent
	}
	return AgentFamily(c.UserAgent)
}

func weekday(t time.Time) string { return strings.ToLower(t.Weekday().String()) }

func stringSet(items []string) types.Set {
	values := make([]types.Value, len(items))
	for i, s := range slices.Sorted(slices.Values(items)) {
		values[i] = types.String(s)
	}
	return types.NewSet(values...)
}
