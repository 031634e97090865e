package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// document is the tenant's settings as shown.
func (tt testTenant) document(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(tt.at(t, "GET", "/v1/settings", request{key: tt.key}).want(t, 200, "").body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// put replaces the settings after a change of what is shown.
func (tt testTenant) putSettings(t *testing.T, change func(map[string]any)) answer {
	t.Helper()
	s := tt.document(t)
	change(s)
	return tt.at(t, "PUT", "/v1/settings", request{key: tt.key, body: s})
}

// A program that was written before a setting was there must not reset it.
func TestSettingsThatAreNotNamedStay(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.putSettings(t, func(s map[string]any) {
		s["sessions"], s["allowed_origins"], s["return_urls"] = jsonBody{"max_per_user": 7}, []string{"https://b.example", "https://a.example", "https://b.example"}, []string{"https://a.example/in"}
		s["branding"], s["locale"] = jsonBody{"name": "Acme", "logo": avatar(t, "png", 3), "primary_color": "#1a4f8b"}, "de-ch"
	}).want(t, 200, "")
	before := tt.document(t)
	if got := fmt.Sprintf("%v %v %v", before["allowed_origins"], before["locale"], before["sessions"]); got != "[https://a.example https://b.example] de-CH map[max_per_user:7]" {
		t.Errorf("kept: %s", got)
	}
	old := jsonBody{"password": before["password"], "mfa": before["mfa"], "tokens": before["tokens"]}
	tt.at(t, "PUT", "/v1/settings", request{key: tt.key, body: old}).want(t, 200, "")
	if after := tt.document(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
	tt.putSettings(t, func(s map[string]any) {
		s["locale"], s["allowed_origins"], s["branding"] = nil, []string{}, jsonBody{}
	}).want(t, 200, "")
	after := tt.document(t)
	if after["locale"] != nil || len(after["allowed_origins"].([]any)) != 0 || fmt.Sprint(after["branding"]) != "map[logo:<nil> name:<nil> primary_color:<nil>]" {
		t.Errorf("taken away: %v", after)
	}
	for _, missing := range []string{"password", "mfa", "tokens"} {
		tt.putSettings(t, func(s map[string]any) { delete(s, missing) }).wantFields(t, missing)
	}
	tt.putSettings(t, func(s map[string]any) { s["colour"] = "red" }).want(t, 400, "invalid_request")
}

// Two programs that each change what the other does not name leave both changes, the first time too.
func TestSettingsChangedAtOnceAreNotLost(t *testing.T) {
	t.Parallel()
	for range 5 {
		tt := sharedPlatform(t).newTenant(t)
		s := tt.document(t)
		old := func(name string, value any) request {
			return request{key: tt.key, body: jsonBody{"password": s["password"], "mfa": s["mfa"], "tokens": s["tokens"], name: value}}
		}
		var both sync.WaitGroup
		both.Go(func() { tt.at(t, "PUT", "/v1/settings", old("locale", "fr")) })
		both.Go(func() { tt.at(t, "PUT", "/v1/settings", old("return_urls", []string{"https://a.example/"})) })
		both.Wait()
		if after := tt.document(t); after["locale"] != "fr" || len(after["return_urls"].([]any)) != 1 {
			t.Errorf("one change is lost: %v", after)
		}
	}
}

func TestSettingsThatCouldDoHarmAreRefused(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for member, values := range map[string][]any{
		"allowed_origins": {
			"*", "null", "https://*.example.com", "http://app.example.com", "https://app.example.com/", "https://app.example.com:443", "https://App.example.com",
			"https://app.example.com/path", "https://user@app.example.com", "https://app.example.com?x", "https://app.example.com#x", "app.example.com", "//app.example.com",
			"javascript://app.example.com", "https://", "https://app.example.com:", "https://app.example.com:0", "https://app.example.com:08443", "https://10.0.0.1",
			"https://app.example.com.", "https://b\u00fccher.example", " https://app.example.com", "https://app.example.com\n", "http://localhost.evil.example", "data:text/html,x", "",
			"https://" + strings.Repeat("a.", 300) + "example",
		},
		"return_urls": {
			"https://app.example.com", "http://app.example.com/", "https://app.example.com/#in", "https://*.example.com/", "https://app.example.com/*", "https://u:p@app.example.com/",
			"javascript:alert(1)", "/in", "https://app.example.com/a/../b", "https://app.example.com/./", "https://app.example.com//a", `https://app.example.com\@evil.example/`,
			"https://app.example.com/a b", "HTTPS://app.example.com/", "https://app.example.com:443/", "",
		},
	} {
		for _, v := range values {
			a := tt.putSettings(t, func(s map[string]any) { s[member] = []any{v} })
			if a.status != 400 || a.text("code") != "invalid_request" || len(members(a.field("details.fields"))) != 1 {
				t.Errorf("%s %q: %d %s", member, v, a.status, a.body)
			}
		}
	}
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf("https://a%d.example", i)
	}
	tt.putSettings(t, func(s map[string]any) { s["allowed_origins"] = many }).wantFields(t, "allowed_origins")
	tt.putSettings(t, func(s map[string]any) { s["allowed_origins"] = many[:50] }).want(t, 200, "")
	for path, value := range map[string]any{
		"branding.name": "a\nb", "branding.logo": "https://evil.example/logo.png", "branding.primary_color": "#ffff00", "sessions.max_per_user": 0, "locale": "klingon!",
	} {
		section, member, nested := strings.Cut(path, ".")
		a := tt.putSettings(t, func(s map[string]any) {
			if s[section] = value; nested {
				s[section] = jsonBody{member: value}
			}
		})
		a.wantFields1(t, path)
	}
	for _, member := range []string{"sessions", "allowed_origins", "return_urls", "branding"} {
		tt.putSettings(t, func(s map[string]any) { s[member] = nil }).wantFields(t, member)
	}
	for _, colour := range []string{"#ffffff", "#777777", "#767676", "#1A4F8B", "red", "#000", "url(x)"} {
		a := tt.putSettings(t, func(s map[string]any) { s["branding"] = jsonBody{"primary_color": colour} })
		if readable := colour == "#767676"; readable != (a.status == 200) { // the lightest grey that white can be read on
			t.Errorf("%s: %d %s", colour, a.status, a.body)
		}
	}
}

// wantFields1 is wantFields for one field whose name has dots.
func (a answer) wantFields1(t *testing.T, name string) {
	t.Helper()
	fields, _ := a.want(t, 400, "invalid_request").field("details.fields").(map[string]any)
	if len(fields) != 1 || fields[name] == nil {
		t.Errorf("%s: %s", name, a.body)
	}
}

// One who signs in once more than the tenant allows ends their oldest session, and twenty at once leave no more than that.
func TestSessionsAreAsManyAsTheTenantAllows(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.settings(t, func(s map[string]any) { s["sessions"] = jsonBody{"max_per_user": 2} }).want(t, 200, "")
	email, id := tt.newUser(t)
	bystander, _ := tt.signIn(t)
	sessions := func() int { return tt.count(t, `select count(*) from sessions where user_id = $1`, id) }
	signIn := func() string { return tt.login(t, email, goodPassword).want(t, 200, "").text("token") }
	works := func(token string) bool { return tt.at(t, "GET", profilePath, request{bearer: token}).status == 200 }

	first, second := signIn(), signIn()
	if !works(first) || !works(second) {
		t.Error("two sessions are allowed")
	}
	third := signIn()
	if works(first) || !works(second) || !works(third) {
		t.Error("the third ends the first and no other")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { tt.login(t, email, goodPassword) })
	}
	all.Wait()
	if n := sessions(); n != 2 {
		t.Errorf("%d sessions of two", n)
	}
	if !works(bystander) {
		t.Error("another user's session ended")
	}
}
