package main

import (
	"net/url"
	"slices"
	"testing"
	"time"
)

// events are the tenant's entries that fit the filters, oldest first, page by page.
func (tt testTenant) events(tb testing.TB, filters url.Values) (all []map[string]any) {
	tb.Helper()
	for cursor := ""; ; {
		q := url.Values{"limit": {"3"}}
		for name, values := range filters {
			q[name] = values
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		a := tt.do(tb, request{method: "GET", host: tt.host, path: "/v1/audit-log?" + q.Encode(), key: tt.key}).want(tb, 200, "")
		for _, e := range a.field("data").([]any) {
			all = append(all, e.(map[string]any))
		}
		if cursor = a.text("next_cursor"); cursor == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// actionsOf are what happened, in order.
func actionsOf(events []map[string]any) (all []string) {
	for _, e := range events {
		all = append(all, e["action"].(string))
	}
	return all
}

func (tt testTenant) actions(tb testing.TB, filters url.Values) []string {
	tb.Helper()
	return actionsOf(tt.events(tb, filters))
}

func TestEveryEventIsRecordedOnceWithActorObjectAndResult(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	by := asKey(tt.host, tt.key)
	tt.login(t, email, "a wrong passphrase, surely").want(t, 401, "invalid_credentials")
	tt.login(t, "nobody@people.example", goodPassword).want(t, 401, "invalid_credentials")
	tt.login(t, email, goodPassword).want(t, 200, "")
	tt.do(t, by("PUT", "/v1/users/"+user, jsonBody{"name": "Another Name", "roles": []string{"admin"}})).want(t, 200, "")
	tt.do(t, by("PUT", "/v1/users/"+user, jsonBody{"name": "Another Name", "roles": []string{"admin"}})).want(t, 200, "") // changes nothing
	tt.do(t, by("POST", "/v1/users/"+user+"/suspend", jsonBody{"active": false})).want(t, 200, "")
	tt.login(t, email, goodPassword).want(t, 401, "invalid_credentials")
	tt.do(t, by("POST", "/v1/users/"+user+"/suspend", jsonBody{"active": true})).want(t, 200, "")
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["grace_days"] = 3 }).want(t, 200, "")
	key := tt.do(t, by("POST", "/v1/api-keys", jsonBody{"name": "for a test", "scopes": []string{"audit:read"}})).want(t, 201, "").text("id")
	tt.do(t, by("DELETE", "/v1/api-keys/"+key, nil)).want(t, 204, "")
	tt.do(t, by("DELETE", "/v1/users/"+user, nil)).want(t, 204, "")

	want := []struct{ action, actor, resource, word, value string }{
		{"user.created", "api_key", user, "", ""},
		{"login.failed", "anonymous", user, "reason", "wrong_password"},
		{"login.failed", "anonymous", "", "reason", "unknown_user"},
		{"login.succeeded", "user", user, "acr", "aal1"},
		{"user.updated", "api_key", user, "", ""},
		{"user.roles_changed", "api_key", user, "", ""},
		{"user.suspended", "api_key", user, "", ""},
		{"login.failed", "anonymous", user, "reason", "suspended"},
		{"user.reactivated", "api_key", user, "", ""},
		{"settings.changed", "api_key", "", "", ""},
		{"api_key.created", "api_key", key, "", ""},
		{"api_key.revoked", "api_key", key, "", ""},
		{"user.deleted", "api_key", user, "", ""},
	}
	all := tt.events(t, nil)
	all = all[len(all)-min(len(want), len(all)):]
	if len(all) != len(want) {
		t.Fatalf("%d entries: %v", len(all), all)
	}
	for i, e := range all {
		w := want[i]
		resource, _ := e["resource_id"].(string)
		metadata := e["metadata"].(map[string]any)
		if e["action"] != w.action || e["actor_type"] != w.actor || resource != w.resource || w.word != "" && metadata[w.word] != w.value {
			t.Errorf("entry %d is %v, want %v", i, e, w)
		}
		if metadata["request_id"] == nil || metadata["network"] == nil {
			t.Errorf("entry %d does not say which request it was, or from where: %v", i, e)
		}
	}
	if fields := all[9]["metadata"].(map[string]any)["members"].([]any); len(fields) != 1 || fields[0] != "mfa.grace_days" {
		t.Errorf("the change of settings names %v", fields)
	}
}

func TestTheAuditLogIsFilteredByWhoWhatAndWhen(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	other, _ := tt.newUser(t)
	for range 4 {
		tt.login(t, email, goodPassword).want(t, 200, "")
	}
	middle := time.Now()
	tt.login(t, other, goodPassword).want(t, 200, "")
	tt.login(t, email, "a wrong passphrase, surely").want(t, 401, "invalid_credentials")
	all := len(tt.events(t, nil))
	moment := func(d time.Duration) []string { return []string{middle.Add(d).UTC().Format(time.RFC3339Nano)} }
	for name, c := range map[string]struct {
		filters url.Values
		want    int
	}{
		"an actor":               {url.Values{"actor_id": {user}}, 4},
		"a resource":             {url.Values{"resource_id": {user}}, 6},
		"a kind of resource":     {url.Values{"resource_type": {"user"}, "resource_id": {user}}, 6},
		"another kind":           {url.Values{"resource_type": {"api_key"}, "resource_id": {user}}, 0},
		"an action":              {url.Values{"action": {"login.succeeded"}}, 5},
		"an action on somebody":  {url.Values{"action": {"login.failed"}, "resource_id": {user}}, 1},
		"what came later":        {url.Values{"from": moment(0)}, 2},
		"what came before":       {url.Values{"to": moment(0)}, all - 2},
		"a time of nothing":      {url.Values{"from": moment(-48 * time.Hour), "to": moment(-24 * time.Hour)}, 0},
		"an actor and a time":    {url.Values{"actor_id": {user}, "from": moment(0)}, 0},
		"what has not been done": {url.Values{"action": {"tenant.suspended"}}, 0},
	} {
		if got := tt.actions(t, c.filters); len(got) != c.want {
			t.Errorf("%s: %d entries %v, want %d", name, len(got), got, c.want)
		}
	}
}

func TestBadFiltersOfTheAuditLogAreNamed(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, c := range []struct{ query, field string }{
		{"action=nonsense", "action"}, {"action=", "action"}, {"actor_id=", "actor_id"}, {"resource_id=a%00b", "resource_id"},
		{"from=yesterday", "from"}, {"to=2026-01-01", "to"}, {"from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"},
		{"actor=x", "actor"}, {"limit=0", "limit"}, {"limit=251", "limit"}, {"cursor=x", "cursor"},
	} {
		a := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log?" + c.query, key: tt.key}).want(t, 400, "invalid_request")
		if a.text("details.fields."+c.field) == "" {
			t.Errorf("%s: %s does not name %s", c.query, a.body, c.field)
		}
	}
}

func TestACursorOfTheAuditLogIsGoodForItsListAlone(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	for range 3 {
		tt.newUser(t)
		other.newUser(t)
	}
	list := func(tt testTenant, query string) answer {
		return tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log?limit=1" + query, key: tt.key})
	}
	cursor := list(tt, "").want(t, 200, "").text("next_cursor")
	list(tt, "&cursor="+cursor).want(t, 200, "")
	list(other, "&cursor="+cursor).want(t, 400, "invalid_request")
	list(tt, "&action=user.created&cursor="+cursor).want(t, 400, "invalid_request")
}

func TestAnAuditLogIsReadInItsTenantAlone(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	_, mine := tt.newUser(t)
	_, theirs := other.newUser(t)
	tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log", key: other.key}).want(t, 403, "tenant_mismatch")
	tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log", key: tp.platformKey}).want(t, 403, "tenant_mismatch")
	if got := tt.actions(t, url.Values{"resource_id": {theirs}}); len(got) != 0 {
		t.Errorf("the tenant sees %v of another's user", got)
	}
	if got := tt.actions(t, url.Values{"resource_id": {mine}}); len(got) != 1 {
		t.Errorf("the tenant sees %v of its own user, want one entry", got)
	}
	token, _ := tt.signIn(t)
	tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log", bearer: token}).want(t, 403, "forbidden")
	key := tt.do(t, asKey(tt.host, tt.key)("POST", "/v1/api-keys", jsonBody{"name": "no reader", "scopes": []string{"users:read"}})).want(t, 201, "").text("raw_key")
	tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log", key: key}).want(t, 403, "forbidden")
}
