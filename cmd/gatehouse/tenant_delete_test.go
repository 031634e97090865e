package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// deletesTenants are the operators' commands about a tenant's end.
func deletesTenants(t *testing.T, in tenancytest.Installation, runs func(pattern, input string, args ...string) []string, refuses func(want, input string, args ...string)) {
	t.Helper()
	platform := startOn(t, in, nil)
	keys := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(keys, platform.do(t, request{method: "GET", path: "/t/platform/.well-known/jwks.json"}).want(t, 200, "").body, 0o600); err != nil {
		t.Fatal(err)
	}
	runs(`admin_api_key`, "", "tenant", "create", "doomed")
	runs(`(?s)state +active\n.*schema and role +t_[0-9a-f]{32}\n.*signing key +ES256 .*rows of api_keys +1\n.*dry run: nothing was changed\n$`, "", "tenant", "delete", "doomed", "--dry-run")
	refuses(`there is no tenant "nobody-here"`, "", "tenant", "delete", "nobody-here", "--yes")
	refuses(`grace "soon" must be`, "", "tenant", "delete", "doomed", "--grace", "soon")
	runs(`^doomed will be deleted after 20\S+Z\n$`, "", "tenant", "delete", "doomed", "--grace", "7d", "--yes")
	runs(`(?m)^doomed +deleting `, "", "tenant", "list")
	runs(`(?s)state +deleting\n.*to be deleted +20\S+Z\n$`, "", "tenant", "show", "doomed")
	refuses(`doomed is to be deleted: gatehouse tenant restore doomed brings it back`, "", "user", "list", "doomed")
	runs(`^doomed will be deleted after 20\S+Z\nIt was to be deleted then already; for another time restore it first.\n$`, "", "tenant", "delete", "doomed", "--grace", "1h", "--yes")
	runs(`^doomed is active\n$`, "", "tenant", "restore", "doomed")
	refused := func(input string) {
		t.Helper()
		if out := runsNot(t, in, input, "tenant", "delete", "doomed"); !strings.Contains(out, "nothing was deleted") {
			t.Errorf("typed %q: %s", input, out)
		}
	}
	refuses("--receipt: open", "", "tenant", "delete", "doomed", "--yes", "--receipt", filepath.Join(t.TempDir(), "nowhere", "receipt"))
	refused("")
	refused("dooomed\n")
	receipt := runs(`(?s)doomed \([0-9a-f-]{36}\) is deleted\n(ey\S+)\n$`, "doomed\n", "tenant", "delete", "doomed")[1]
	refuses("doomed is deleted for ever", "", "tenant", "restore", "doomed")
	refuses("doomed is deleted for ever", "", "tenant", "show", "doomed")
	runs(`^doomed \([0-9a-f-]{36}\) was deleted at 20\S+Z already\ndry run: nothing was changed\n$`, "", "tenant", "delete", "doomed", "--dry-run")
	refuses("this slug is taken", "", "tenant", "create", "doomed")
	if again := runs(`(ey\S+)\n$`, "", "tenant", "delete", "doomed")[1]; again != receipt {
		t.Error("said again, the receipt is another")
	}
	runs(`(?s)^verified: tenant [0-9a-f-]{36} \(doomed\) was destroyed\n.*rows +\d+ in \d+ tables\n.*signed by +key `, receipt, "tenant", "receipt", "verify", "-", "--jwks", keys)
	runs(`^verified`, `{"receipt":"`+receipt+`"}`, "tenant", "receipt", "verify", "-", "--jwks", keys)
	refuses("NOT verified", receipt[:len(receipt)-8]+"AAAAAAAA", "tenant", "receipt", "verify", "-", "--jwks", keys)
	refuses("NOT verified", "", "tenant", "receipt", "verify", "-", "--jwks", keys)
	refuses("say whose signature", receipt, "tenant", "receipt", "verify", "-")
}

// runsNot runs a command that asks and is not answered.
func runsNot(t *testing.T, in tenancytest.Installation, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command(gatehouseBinary(t), args...)
	cmd.Stdin = strings.NewReader(input)
	p := launchCommand(t, environment(serveSettings(in, "localhost:1")), cmd)
	if code := p.wait(); code == 0 {
		t.Errorf("%v succeeded", args)
	}
	return p.stderr.String()
}

// What was a deleted tenant's answers like what never was anybody's, on every replica, and a receipt is no token.
func TestADeletedTenantAnswersLikeNobody(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	token, _ := tt.signIn(t)
	refresh := tt.login(t, first(tt.newUser(t)), goodPassword).want(t, 200, "").text("refresh_token")
	by := asKey("", tp.platformKey)
	gone := by("DELETE", "/v1/tenants/"+tt.id, nil)

	dry := tp.do(t, request{method: "DELETE", path: "/v1/tenants/" + tt.id + "?dry_run=true", key: tp.platformKey}).want(t, 200, "")
	if dry.field("inventory.rows.users") != 2.0 || dry.field("receipt") != nil {
		t.Errorf("a dry run says %s", dry.body)
	}
	tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/profile", bearer: token}).want(t, 200, "")

	answer := tp.do(t, gone).want(t, 200, "")
	receipt := answer.text("receipt")
	if answer.text("state") != "deleted" || answer.text("slug") != tt.slug || strings.Count(receipt, ".") != 2 {
		t.Fatalf("the answer is %s", answer.body)
	}
	if again := tp.do(t, gone).want(t, 200, ""); string(again.body) != string(answer.body) {
		t.Errorf("said again: %s, and first %s", again.body, answer.body)
	}
	for what, c := range map[string]struct {
		rq     request
		status int
		code   string
	}{
		"its host":                     {request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}, 404, "not_found"},
		"its slug":                     {request{method: "GET", path: "/t/" + tt.slug + "/.well-known/jwks.json"}, 404, "not_found"},
		"a login":                      {request{method: "POST", path: "/v1/auth/login", body: jsonBody{"tenant_slug": tt.slug, "email": "a@b.example", "password": goodPassword}}, 404, "not_found"},
		"its key on the shared host":   {request{method: "GET", path: "/v1/users", key: tt.key}, 401, "unauthenticated"},
		"its token on the shared host": {request{method: "GET", path: "/v1/users/me/profile", bearer: token}, 401, "unauthenticated"},
		"its refresh token":            {request{method: "POST", path: "/v1/auth/refresh", body: jsonBody{"refresh_token": refresh}}, 401, "invalid_token"},
		"its receipt as a token":       {request{method: "GET", path: "/v1/tenants", bearer: receipt}, 401, "unauthenticated"},
		"its record":                   {by("GET", "/v1/tenants/"+tt.id, nil), 404, "not_found"},
		"its slug again":               {by("POST", "/v1/tenants", jsonBody{"name": "Again", "slug": tt.slug}), 409, "slug_taken"},
	} {
		if a := tp.do(t, c.rq); a.status != c.status || a.text("code") != c.code {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, c.status, c.code)
		}
	}
	if got, want := actionsOf(tp.platformActions(t, tt.id)), []string{"tenant.created", "tenant.deleted", "tenant.destroyed"}; !slices.Equal(got, want) {
		t.Errorf("in the platform's log are %q, want %q", got, want)
	}
}

func first(email, _ string) string { return email }

// What is done to a tenant that is restored stands in its own log, too.
func TestARestoredTenantKnowsWhatWasDoneToIt(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	by := asKey("", tp.platformKey)
	later := request{method: "DELETE", path: "/v1/tenants/" + tt.id + "?grace_days=30", key: tp.platformKey}
	if a := tp.do(t, later).want(t, 202, ""); a.text("state") != "deleting" || a.text("delete_after") == "" {
		t.Errorf("the answer is %s", a.body)
	}
	tp.do(t, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}).want(t, 404, "not_found")
	if a := tp.do(t, by("GET", "/v1/tenants/"+tt.id, nil)).want(t, 200, ""); a.text("state") != "deleting" {
		t.Errorf("the platform sees %s", a.body)
	}
	tp.do(t, by("POST", "/v1/tenants/"+tt.id+"/restore", nil)).want(t, 200, "")
	tt.newUser(t)
	want := []string{"tenant.created", "tenant.deletion_scheduled", "tenant.restored"}
	for whose, events := range map[string][]map[string]any{"its own": tt.events(t, url.Values{"resource_type": {"tenant"}}), "the platform's": tp.platformActions(t, tt.id)} {
		if got := actionsOf(events); !slices.Equal(got, want) {
			t.Errorf("in %s log are %q, want %q", whose, got, want)
		}
	}
}

// A deletion that is not understood to the letter does not happen: each of these is a tenant that somebody meant to keep.
func TestADeletionThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	tenant := "/v1/tenants/" + tt.id
	kid := tt.do(t, request{method: "GET", path: tenant + "/keys", key: tp.platformKey}).want(t, 200, "").data(t)[0]["kid"].(string)
	for query, fields := range map[string][]string{
		"dry-run=true":                 {"dry-run"},
		"Dry_run=true":                 {"Dry_run"},
		"grace=7":                      {"grace"},
		"x=1&y=2":                      {"x", "y"},
		"dry_run=":                     {"dry_run"},
		"dry_run":                      {"dry_run"},
		"dry_run=1":                    {"dry_run"},
		"dry_run=TRUE":                 {"dry_run"},
		"dry_run=false&dry_run=true":   {"dry_run"},
		"grace_days=":                  {"grace_days"},
		"grace_days=-1":                {"grace_days"},
		"grace_days=366":               {"grace_days"},
		"grace_days=07":                {"grace_days"},
		"grace_days=7d":                {"grace_days"},
		"grace_days=18446744073709558": {"grace_days"},
		"grace_days=0&grace_days=7":    {"grace_days"},
		"dry_run=true&grace_days=7":    {"dry_run", "grace_days"},
		"dry_run=true&grace_days=0":    {"dry_run", "grace_days"},
		"dry_run=no&grace_days=seven":  {"dry_run", "grace_days"},
		"x=1&dry_run=":                 {"x", "dry_run"},
		"grace_days=7;dry_run=true":    nil, // malformed
	} {
		a := tp.do(t, request{method: "DELETE", path: tenant + "?" + query, key: tp.platformKey}).want(t, 400, "invalid_request")
		for _, name := range fields {
			if a.field("details.fields."+name) == nil {
				t.Errorf("?%s: %s is not named: %s", query, name, a.body)
			}
		}
	}
	for _, op := range []request{
		{method: "DELETE", path: tenant},
		{method: "POST", path: tenant + "/restore"},
		{method: "POST", path: tenant + "/keys/rotate"},
		{method: "POST", path: tenant + "/keys/" + kid + "/revoke"},
	} {
		op.key = tp.platformKey
		with := func(change func(*request)) request {
			changed := op
			change(&changed)
			return changed
		}
		tp.do(t, with(func(rq *request) { rq.body = jsonBody{"dry_run": true} })).want(t, 400, "invalid_request")
		tp.do(t, with(func(rq *request) {
			rq.body, rq.header = "dry_run=true", map[string]string{"Content-Type": "text/plain"}
		})).want(t, 415, "unsupported_media_type")
		if a := tp.do(t, with(func(rq *request) { rq.path += "?x=1" })).want(t, 400, "invalid_request"); a.field("details.fields.x") == nil {
			t.Errorf("%s: x is not named: %s", op.path, a.body)
		}
	}
	if states := tt.keyStates(t); !slices.Equal(states, []string{"active"}) {
		t.Errorf("its keys are %v", states)
	}
	if a := tp.do(t, request{method: "GET", path: tenant, key: tp.platformKey}).want(t, 200, ""); a.text("state") != "active" {
		t.Errorf("the tenant is %s", a.text("state"))
	}
}
