package audit

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

const mayRead = "audit:read"

// Mount adds the operations on the audit log.
func (l *Log) Mount(r *mux.Router, g tenancy.Guard) {
	r.Handle("/v1/audit-log", rest.Methods{http.MethodGet: g.Require(mayRead, l.list)})
	r.Handle("/v1/audit-log/verification", rest.Methods{http.MethodGet: rest.Limits{Time: verificationTime + answerTime}.Apply(g.Require(mayRead, l.verification))})
	r.Handle("/v1/audit-log/export", rest.Methods{http.MethodGet: rest.Limits{Time: exportTime}.Apply(g.Require(mayRead, l.export))})
}

type entryBody struct {
	ID           uuid.UUID       `json:"id"`
	Action       Action          `json:"action"`
	ActorID      *string         `json:"actor_id"`
	ActorType    ActorType       `json:"actor_type"`
	ResourceType *string         `json:"resource_type"`
	ResourceID   *string         `json:"resource_id"`
	Metadata     json.RawMessage `json:"metadata"`
	CreatedAt    time.Time       `json:"created_at"`
}

func renderEntry(e Listed) entryBody {
	return entryBody{e.ID, e.Action, e.ActorID, e.ActorType, e.ResourceType, e.ResourceID, e.Metadata, e.CreatedAt}
}

// parseFilter reads the filters of a query. One that does not exist is refused and not passed over: who misspells a filter
// would take everything for what they asked about.
func parseFilter(q url.Values) (f Filter, err error) {
	bad := map[string]string{}
	text := func(into *string) func(string) string {
		return func(v string) string {
			*into = v
			if v == "" || len(v) > 200 || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return "must be 1 to 200 printable characters"
			}
			return ""
		}
	}
	moment := func(into *time.Time) func(string) string {
		return func(v string) (why string) {
			if *into, err = time.Parse(time.RFC3339, v); err != nil || into.Year() < 1 {
				return "must be a time as in RFC 3339, such as 2026-01-31T00:00:00Z"
			}
			return ""
		}
	}
	filters := map[string]func(string) string{
		"actor_id": text(&f.ActorID), "resource_type": text(&f.ResourceType), "resource_id": text(&f.ResourceID),
		"from": moment(&f.From), "to": moment(&f.To),
		"action": func(v string) string {
			if f.Action = Action(v); Meaning(f.Action) == "" {
				return "is not an action that is recorded"
			}
			return ""
		},
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if parse := filters[name]; parse == nil {
			bad[name] = "is not a filter of this list"
		} else if why := parse(q.Get(name)); why != "" {
			bad[name] = why
		}
	}
	if len(bad) == 0 && !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		bad["to"] = "must be after from"
	}
	if len(bad) > 0 {
		return Filter{}, problem.Fields(bad)
	}
	return f, nil
}

func (l *Log) list(w http.ResponseWriter, r *http.Request, by tenancy.Admitted) error {
	page, err := rest.ParsePage(r, by.Tenant.ID.String())
	if err != nil {
		return err
	}
	before, err := rest.After(page, ParsePlace)
	if err != nil {
		return err
	}
	q, err := rest.Query(r)
	if err != nil {
		return err
	}
	q.Del("limit")
	q.Del("cursor")
	f, err := parseFilter(q)
	if err != nil {
		return err
	}
	entries, err := l.List(r.Context(), by.Tenant, f, before, page.Fetch())
	if err != nil {
		return err
	}
	last := ""
	bodies := make([]entryBody, len(entries))
	for i, e := range entries {
		if bodies[i] = renderEntry(e); i < page.Limit {
			last = e.Place.String()
		}
	}
	return rest.Respond(w, http.StatusOK, rest.NewList(page, bodies, func(entryBody) string { return last }))
}
