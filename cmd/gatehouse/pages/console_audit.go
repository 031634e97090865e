package pages

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// logEntry is one of the audit log.
type logEntry struct {
	ID           string          `json:"id"`
	Action       string          `json:"action"`
	ActorID      *string         `json:"actor_id"`
	ActorType    string          `json:"actor_type"`
	ResourceType *string         `json:"resource_type"`
	ResourceID   *string         `json:"resource_id"`
	Metadata     json.RawMessage `json:"metadata"`
	CreatedAt    time.Time       `json:"created_at"`
}

// verification is whether the log is what it was when it was written.
type verification struct {
	Verified      bool       `json:"verified"`
	Problem       *string    `json:"problem"`
	Days          int        `json:"days"`
	Entries       int64      `json:"entries"`
	SealedThrough *time.Time `json:"sealed_through"`
}

// auditPage is a page of the log, with what it was filtered by.
type auditPage struct {
	listPage[logEntry]

	Filters      map[string]string
	Verification *verification
}

var logFilters = []string{"action", "actor_id", "resource_type", "resource_id", "from", "to"}

// auditLog shows the log, and verifies it where that is asked for.
func (v *visit) auditLog() error {
	page, q := auditPage{Filters: map[string]string{}}, url.Values{}
	for _, name := range logFilters {
		value := v.r.URL.Query().Get(name)
		page.Filters[name] = value
		if (name == "from" || name == "to") && len(value) == len("2026-01-31") {
			value += "T00:00:00Z"
		}
		if value != "" {
			q.Set(name, value)
		}
	}
	var err error
	if page.listPage, err = list[logEntry](v, "/v1/audit-log", q); err != nil {
		return v.again(err, "console-audit", page)
	}
	if v.r.URL.Query().Get("verify") != "" && !v.foreign() {
		page.Verification = new(verification)
		if err := v.get("/v1/audit-log/verification", nil, page.Verification); err != nil {
			return err
		}
	}
	return v.show("console-audit", page)
}

// AllActions are what can be asked for, by what they are called in the language of the page.
func (v *visit) AllActions() (all []choice) {
	for _, a := range audit.Actions() {
		all = append(all, choice{Value: string(a), Label: v.Action(string(a))})
	}
	slices.SortFunc(all, func(a, b choice) int { return strings.Compare(a.Label, b.Label) })
	return all
}
