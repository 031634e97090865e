package identity

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// Activity shows people what the audit log has about their own account, so that they see what was not them.
type Activity struct{ Log *audit.Log }

// Mount adds the operation.
func (a *Activity) Mount(r *mux.Router, g *Guard) {
	r.Handle("/v1/users/me/activity", rest.Methods{http.MethodGet: g.User(a.list)})
}

// activityBody is an entry without what it says to administrators: who else had a hand in it, and why.
type activityBody struct {
	ID        uuid.UUID    `json:"id"`
	Action    audit.Action `json:"action"`
	Actor     string       `json:"actor"`
	Network   *string      `json:"network"` // that it came from, shortened; null where it came from none
	CreatedAt time.Time    `json:"created_at"`
}

// Who did it, where the log has a user: oneself, or somebody who administers. Of all others the log's word is told.
const (
	byOneself       = "you"
	byAdministrator = "administrator"
)

func actorFor(u id.User, e audit.Listed) string {
	switch {
	case e.ActorType != audit.ByUser:
		return string(e.ActorType)
	case e.ActorID != nil && *e.ActorID == u.String():
		return byOneself
	default:
		return byAdministrator
	}
}

// watched is what is between administrators and the rules that they are trying out.
const watched audit.Action = "policy.would_have_denied"

func renderActivity(u id.User, e audit.Listed) activityBody {
	var m struct {
		Network *string `json:"network"`
	}
	_ = json.Unmarshal(e.Metadata, &m) // what has no network in this shape has none to show
	return activityBody{e.ID, e.Action, actorFor(u, e), m.Network, e.CreatedAt}
}

func (a *Activity) list(w http.ResponseWriter, r *http.Request, by Caller) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String(), by.User.ID.String())
	if err != nil {
		return err
	}
	before, err := rest.After(page, audit.ParsePlace)
	if err != nil {
		return err
	}
	mine := audit.Filter{ResourceType: "user", ResourceID: by.User.ID.String(), Without: watched}
	entries, err := a.Log.List(r.Context(), by.Tenant, mine, before, page.Fetch())
	if err != nil {
		return err
	}
	last := ""
	bodies := make([]activityBody, len(entries))
	for i, e := range entries {
		if bodies[i] = renderActivity(by.User.ID, e); i < page.Limit {
			last = e.Place.String()
		}
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(activityBody) string { return last }))
}
