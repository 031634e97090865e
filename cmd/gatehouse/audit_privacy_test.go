package main

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

// What an entry holds is there for good, so nothing that people say about themselves may get in: the whole life of an
// account is gone through, and the log is searched for every name, address and secret that was used.
func TestNothingPersonalGetsIntoTheAuditLog(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	slug := "t" + strings.ToLower(rand.Text()[:12])
	made := tp.do(t, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: jsonBody{"name": "Zarniwoop Ltd", "slug": slug,
		"owner_email": "Trillian@People.example", "owner_name": "Tricia McMillan"}}).want(t, 201, "")
	tt := testTenant{tp, made.text("id"), slug, slug + ".localhost", made.text("admin_api_key")}
	by := asKey(tt.host, tt.key)
	const email, pw, another = "Zaphod.Two@People.example", "heart of gold, improbable", "restaurant at the end of it"
	user := tt.do(t, by("POST", "/v1/users", jsonBody{"email": email, "name": "Beeblebrox", "password": pw, "email_verified": true})).want(t, 201, "").text("id")
	agent := map[string]string{"User-Agent": "Eddie-The-Computer/1.0"}
	login := func(email, pw string) answer {
		return tt.do(t, request{method: "POST", host: tt.host, path: "/v1/auth/login", header: agent, body: jsonBody{"email": email, "password": pw}})
	}
	login(email, "vogon poetry is so good").want(t, 401, "invalid_credentials")
	login("Slartibartfast@People.example", pw).want(t, 401, "invalid_credentials")
	signedIn := login(email, pw).want(t, 200, "")
	me := tt.asUser(signedIn.text("token"))
	tt.do(t, me("PUT", "/v1/users/me/profile", jsonBody{"first_name": "Galactic", "last_name": "President", "display_name": "Hitchhiker"})).want(t, 200, "")
	app := tt.do(t, me("POST", "/v1/users/me/mfa/totp", nil)).want(t, 201, "")
	tt.do(t, me("POST", "/v1/users/me/password", jsonBody{"current_password": pw, "new_password": another})).want(t, 204, "")
	tt.do(t, by("POST", "/v1/auth/request-password-reset", jsonBody{"email": email})).want(t, 202, "")
	tt.do(t, by("PUT", "/v1/users/"+user, jsonBody{"name": "Beeblebrox II"})).want(t, 200, "")
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "optional" }).want(t, 200, "")
	key := tt.do(t, by("POST", "/v1/api-keys", jsonBody{"name": "Marvin's key", "scopes": []string{"audit:read"}})).want(t, 201, "")
	tt.do(t, by("POST", "/v1/users", jsonBody{"email": "Ford.Prefect@People.example", "name": "Betelgeuse"})).want(t, 201, "")
	tt.do(t, by("POST", "/v1/users/"+user+"/suspend", jsonBody{"active": false})).want(t, 200, "")
	tt.do(t, by("DELETE", "/v1/users/"+user, nil)).want(t, 204, "")

	// What is mailed is mailed later, and recorded then.
	eventually(t, 20*time.Second, "no mail waits", func() bool { return tt.count(t, `select count(*) from mails`) == 0 })
	chain := tt.chain(t)
	if len(chain) < 15 {
		t.Fatalf("there are only %d entries", len(chain))
	}
	var log strings.Builder
	for _, l := range chain {
		log.WriteString(strings.ToLower(l.Entry) + "\n")
	}
	for _, e := range tp.platformActions(t, tt.id) {
		for _, v := range e {
			if s, ok := v.(string); ok {
				log.WriteString(strings.ToLower(s) + "\n")
			}
		}
	}
	for _, word := range []string{
		"@", "people.example", "zaphod", "trillian", "slartibartfast", "ford", "tricia", "mcmillan", "beeblebrox", "betelgeuse", "zarniwoop",
		"galactic", "president", "hitchhiker", "marvin", "eddie", "127.0.0.1", pw, another, "vogon", app.text("secret"),
		signedIn.text("refresh_token"), key.text("raw_key"), tt.key,
	} {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, strings.ToLower(word)) {
				t.Errorf("%q is in the log: %s", word, line)
			}
		}
	}
}
