package main

import (
	"crypto/sha256"
	"encoding/base64"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// The back end of an application gets a session of its own for somebody who has signed in in a browser.

const testVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B

const appURL = "https://app.example/signed-in"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// applications registers return URLs.
func (tt testTenant) applications(tb testing.TB, urls ...string) {
	tb.Helper()
	if urls == nil {
		urls = []string{}
	}
	tt.settings(tb, func(s map[string]any) { s["return_urls"] = urls }).want(tb, 200, "")
}

func (tt testTenant) code(tb testing.TB, token, url string) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/code", token, jsonBody{"return_url": url, "code_challenge": challengeOf(testVerifier)})
}

func (tt testTenant) exchange(tb testing.TB, code, url, verifier string) answer {
	tb.Helper()
	return tt.post(tb, "/v1/auth/exchange", "", jsonBody{"code": code, "return_url": url, "code_verifier": verifier})
}

func TestACodeBeginsASessionOfTheApplication(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.applications(t, appURL)
	e := tt.enrolledUser(t)
	browser := tt.prove(t, e.challenge(t), "totp", e.app.code(t, 1)).want(t, 200, "")
	a := tt.exchange(t, tt.code(t, browser.text("token"), appURL).want(t, 201, "").text("return_code"), appURL, testVerifier).want(t, 200, "")
	was, is := claims(t, browser.text("token")), claims(t, a.text("token"))
	if is["sid"] == was["sid"] || is["sub"] != was["sub"] || is["auth_time"] != was["auth_time"] || is["acr"] != "aal2" {
		t.Errorf("the application's token says %v, and the browser's %v", is, was)
	}
	a = tt.refresh(t, a.text("refresh_token")).want(t, 200, "")
	sessions := tt.at(t, "GET", "/v1/users/me/sessions", request{bearer: browser.text("token")}).want(t, 200, "").data(t)
	found := false
	for _, s := range sessions {
		found = found || s["id"] == is["sid"] && s["application"] == appURL
	}
	if !found {
		t.Errorf("the application's session is not listed as such: %v", sessions)
	}
	// An application cannot act for its user at another one.
	tt.code(t, a.text("token"), appURL).want(t, 403, "forbidden")
	if tt.recorded(t, "session.exchanged", is["sub"].(string)) != 1 {
		t.Error("the log does not have it once")
	}
}

func TestACodeIsGoodForOneApplicationAndOneMinuteAndOnce(t *testing.T) {
	t.Parallel()
	tt, moved := clocked(t)
	tt.applications(t, appURL, "https://other.example/")
	_, _, in := tt.signedIn(t)
	token := in.text("token")
	code := func() string { return tt.code(t, token, appURL).want(t, 201, "").text("return_code") }
	tt.code(t, token, appURL+"/").want(t, 400, "invalid_request")
	tt.exchange(t, code(), "https://other.example/", testVerifier).want(t, 401, "invalid_token")
	tt.exchange(t, code(), appURL, "another verifier of forty-three characters.").want(t, 400, "invalid_request")
	tt.exchange(t, code(), appURL, "another-verifier-of-forty-three-characters.").want(t, 401, "invalid_token")

	used := code()
	app := tt.exchange(t, used, appURL, testVerifier).want(t, 200, "")
	tt.exchange(t, used, appURL, "another-verifier-of-forty-three-characters.").want(t, 401, "invalid_token") // ends nothing
	app = tt.refresh(t, app.text("refresh_token")).want(t, 200, "")
	tt.exchange(t, used, appURL, testVerifier).want(t, 401, "invalid_token") // somebody has a copy
	tt.refresh(t, app.text("refresh_token")).want(t, 401, "invalid_token")
	if !tt.works(t, token) {
		t.Error("the browser's session ended with it")
	}

	late := code()
	moved.advance(61 * time.Second)
	tt.exchange(t, late, appURL, testVerifier).want(t, 401, "invalid_token")

	gone := code()
	tt.post(t, "/v1/auth/logout", token, nil).want(t, 204, "")
	tt.exchange(t, gone, appURL, testVerifier).want(t, 401, "invalid_token")

	other := tt.newTenant(t)
	other.applications(t, appURL)
	_, _, there := other.signedIn(t)
	foreign := other.code(t, there.text("token"), appURL).want(t, 201, "").text("return_code")
	tt.exchange(t, foreign, appURL, testVerifier).want(t, 403, "tenant_mismatch")
	other.exchange(t, foreign, appURL, testVerifier).want(t, 200, "")
}

func TestFiftyAtOnceAreOneExchange(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.applications(t, appURL)
	_, user, in := tt.signedIn(t)
	code := tt.code(t, in.text("token"), appURL).want(t, 201, "").text("return_code")
	var won atomic.Int32
	var all errgroup.Group
	for range 50 {
		all.Go(func() error {
			switch a := tt.exchange(t, code, appURL, testVerifier); {
			case a.status == 200:
				won.Add(1)
			case a.text("code") != "invalid_token" && a.status != 429:
				t.Errorf("%d %s", a.status, a.body)
			}
			return nil
		})
	}
	_ = all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d exchanges of one code", won.Load())
	}
	if n := tt.count(t, `select count(*) from audit_log where resource_id = $1 and action = 'session.exchanged'`, user); n != 1 {
		t.Errorf("the log has %d", n)
	}
}

func TestRulesDecideWhoMayGoOnToAnApplication(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.applications(t, appURL, "https://pay.example/")
	_, _, in := tt.signedIn(t)
	tt.decree(t, `@notice("Pay is for the finance team.")
forbid (principal, action == Action::"exchange", resource) when { context.application == "https://pay.example/" };`)
	tt.code(t, in.text("token"), appURL).want(t, 201, "")
	denied := tt.code(t, in.text("token"), "https://pay.example/").want(t, 403, "policy_denied")
	if got := notices(denied); len(got) != 1 || got[0] != "Pay is for the finance team." {
		t.Errorf("notices %q", got)
	}
}

// What an application is given says who somebody is. It takes no account over, and administers nothing.
func TestAnApplicationIsNotItsUser(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.applications(t, appURL)
	_, user, in := tt.signedIn(t, "admin", "user")
	browser := in.text("token")
	app := tt.exchange(t, tt.code(t, browser, appURL).want(t, 201, "").text("return_code"), appURL, testVerifier).want(t, 200, "")
	token := app.text("token")
	tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
	for _, c := range []struct{ method, path, code string }{
		{"POST", "/v1/users/me/mfa/totp", "reauthentication_required"},
		{"POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_passkey", "reauthentication_required"},
		{"GET", "/v1/users", "forbidden"},
		{"GET", "/v1/settings", "forbidden"},
		{"POST", "/v1/auth/step-up", "forbidden"},
	} {
		tt.at(t, c.method, c.path, request{bearer: token}).want(t, 403, c.code)
	}
	tt.at(t, "DELETE", "/v1/users/me/sessions/"+claims(t, browser)["sid"].(string), request{bearer: token}).want(t, 404, "not_found")
	if !tt.works(t, browser) {
		t.Error("an application has ended the browser's session")
	}
	// It lasts no longer than what it came from, and no longer than the application is registered.
	if n := tt.count(t, `select count(distinct expires_at) from sessions where user_id = $1`, user); n != 1 {
		t.Error("the application's session ends at another time than the browser's")
	}
	app = tt.refresh(t, app.text("refresh_token")).want(t, 200, "")
	tt.applications(t)
	tt.refresh(t, app.text("refresh_token")).want(t, 401, "invalid_token")
}

// Room for an application's session is never made by ending the one that it came from.
func TestFewSessionsAreEnoughForApplications(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.settings(t, func(s map[string]any) {
		s["return_urls"] = []string{appURL, "https://other.example/"}
		s["sessions"].(map[string]any)["max_per_user"] = 2
	}).want(t, 200, "")
	_, user, in := tt.signedIn(t)
	browser := in.text("token")
	for range 3 {
		for _, u := range []string{appURL, "https://other.example/"} {
			tt.exchange(t, tt.code(t, browser, u).want(t, 201, "").text("return_code"), u, testVerifier).want(t, 200, "")
		}
	}
	if n := tt.count(t, `select count(*) from sessions where user_id = $1`, user); n != 2 || !tt.works(t, browser) {
		t.Errorf("%d sessions are left", n)
	}
}

// A user's password is changed, and their sessions end, while applications exchange codes: nobody waits for the other in vain.
func TestExchangesAndEndsOfSessionsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.applications(t, appURL)
	email, user := tt.newUser(t)
	for range 6 {
		browser := tt.login(t, email, goodPassword).want(t, 200, "").text("token")
		var codes []string
		for range 6 {
			codes = append(codes, tt.code(t, browser, appURL).want(t, 201, "").text("return_code"))
		}
		var all errgroup.Group
		for _, c := range codes {
			all.Go(func() error {
				if a := tt.exchange(t, c, appURL, testVerifier); a.status != 200 && a.status != 401 {
					t.Errorf("an exchange is answered %d %s", a.status, a.body)
				}
				return nil
			})
		}
		all.Go(func() error {
			tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key}).want(t, 204, "")
			return nil
		})
		_ = all.Wait()
	}
}
