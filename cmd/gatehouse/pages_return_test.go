package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// application is somebody's application: people are sent from it to sign in, and come back to it.
type application struct {
	url  string
	sent chan url.Values
}

func startApplication(t *testing.T) application {
	t.Helper()
	a := application{sent: make(chan url.Values, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/signed-in" {
			a.sent <- r.URL.Query()
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><title>Application</title><link rel="icon" href="data:,"><p>Back at the application</p>`))
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	a.url = "http://app.localhost:" + port + "/signed-in"
	return a
}

// query is what the application puts behind /signin.
func (a application) query(state string) string {
	return "?" + url.Values{"return_url": {a.url}, "state": {state}, "code_challenge": {challengeOf(testVerifier)}}.Encode()
}

func TestPeopleReturnToTheApplication(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt, app := tp.newTenant(t), startApplication(t)
	tt.applications(t, app.url)
	e := tt.enrolledUser(t)
	v := tt.visitor(t, browser, desktop)
	v.open("/signin"+app.query("one & only")).fill("E-mail address", e.email).press("Continue").fill("Password", goodPassword).press("Sign in")
	v.fill("Code", e.app.code(t, 1)).press("Confirm").sees("Back at the application")
	came := <-app.sent
	if came.Get("state") != "one & only" || len(came) != 2 {
		t.Errorf("the application is sent %v", came)
	}
	a := tt.exchange(t, came.Get("code"), app.url, testVerifier).want(t, 200, "")
	wantClaims(t, a.text("token"), `["pwd","otp","mfa"]`, "aal2")

	// Whoever is signed in comes back at once, and where they are to be asked again they are.
	v.open("/signin" + app.query("two")).sees("Back at the application")
	if came := <-app.sent; came.Get("state") != "two" {
		t.Errorf("the application is sent %v", came)
	}
	v.open("/signin" + app.query("three") + "&prompt=login").sees("Sign in to Test")

	// Nobody is sent anywhere else.
	for _, there := range []string{"https://evil.example/", app.url + "/", app.url + "?x", strings.Replace(app.url, "http://", "http://x@", 1), "//evil.example", "javascript:alert(1)"} {
		v.open("/signin?" + url.Values{"return_url": {there}, "code_challenge": {challengeOf(testVerifier)}}.Encode()).sees("has an address that is not registered")
	}
	v.open("/signin?return_url=" + url.QueryEscape(app.url)).sees("This did not work") // without a challenge no code is safe
	for _, next := range []string{"//evil.example/account", "https://evil.example/", "/account/../../evil", `/\evil.example`} {
		v.open("/signin?next=" + url.QueryEscape(next)).at("/account")
	}
}

// Two tabs are on two errands, and each comes to its own end.
func TestTwoTabsDoNotMeet(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt, app := tp.newTenant(t), startApplication(t)
	tt.applications(t, app.url)
	email, _ := tt.newUser(t)
	v := tt.visitor(t, browser, desktop)
	v.open("/signin"+app.query("first")).fill("E-mail address", email).press("Continue").at("/signin/password")
	first := look[string](v, `location.href`)
	v.open("/signin?next=/account/sessions").fill("E-mail address", "somebody.else@people.example").press("Continue").at("/signin/password")
	v.opens(first).sees("Enter your password").press("Not you?").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").sees("Back at the application")
	if came := <-app.sent; came.Get("state") != "first" {
		t.Errorf("the application is sent %v", came)
	}
}
