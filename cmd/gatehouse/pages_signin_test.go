package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// People sign in with a browser, at two tenants at once, and see nothing of each other.

func TestPeopleSignInOnPages(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	for name, how := range map[string]struct {
		script, keyboard bool
		size             [2]int64
	}{
		"with script":              {script: true, size: desktop},
		"without script, by phone": {size: phone},
		"by keyboard":              {script: true, keyboard: true, size: desktop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt := tp.newTenant(t)
			email, _ := tt.newUser(t)
			v := tt.visitor(t, browser, how.size)
			v.keyboard = how.keyboard
			if !how.script {
				v.withoutScript()
			}
			v.open("/").at("/signin").sees("Sign in to Test").fill("E-mail address", "nobody").press("Continue").sees("Enter an e-mail address")
			v.fill("E-mail address", email).press("Continue").at("/signin/password").sees("Enter your password", email)
			v.fill("Password", "not my password").press("Sign in").sees("do not match an account")
			v.fill("Password", goodPassword).press("Sign in").at("/account").sees("Your profile", email)
			v.press("Activity").sees("Sign-in refused", "Signed in")
			v.press("Sign out").press("Sign out of this browser").sees("You are signed out")
			v.open("/account").at("/signin")
		})
	}
}

// Somebody is invited and ends up with an account and a passkey, and from then on needs nothing but the passkey.
func TestAnInvitationLeadsToAPasskey(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	for name, keyboard := range map[string]bool{"by mouse": false, "by keyboard": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt := tp.newTenant(t)
			p := tt.add(t, nil)
			v := tt.visitor(t, browser, desktop).with(laptop)
			v.keyboard = keyboard
			v.opens(tt.mailed(t, "invitation", p.email).link).sees("Choose your password").fill("New password", "short").press("Set password").sees("at least 15 characters")
			v.fill("New password", otherPassword).press("Set password").at("/signin").sees("Your password is set.")
			v.fill("E-mail address", p.email).press("Continue").fill("Password", otherPassword).press("Sign in").at("/account")
			v.press("Security").sees("You have none.").press("Add a second factor").press("Passkey").sees("Create a passkey").fill("Name (optional)", "Work laptop")
			v.press("Create passkey").at("/account/security/codes").sees("Your second factor is set up.", "Keep these backup codes")
			v.press("I have kept them").at("/account/security").sees("Work laptop").open("/account/security/codes").at("/account/security")
			v.press("Sign out").press("Sign out of this browser").press("Sign in again")
			// Browsers offer the passkey in the field of the address as soon as the page is there.
			v.at("/account").sees(p.email)
			v.press("Sessions").sees("This one")
		})
	}
}

func TestASecondFactorIsProvedOnPages(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	t.Run("by code, without script", func(t *testing.T) {
		t.Parallel()
		e := tp.newTenant(t).enrolledUser(t)
		v := e.visitor(t, browser, phone).withoutScript()
		v.open("/signin?next=/account/sessions").fill("E-mail address", e.email).press("Continue").fill("Password", goodPassword).press("Sign in")
		v.at("/signin/factor").sees("Enter the code from your app").fill("Code", "000000").press("Confirm").sees("This code is not right.")
		v.fill("Code", e.app.code(t, 1)).press("Confirm").at("/account/sessions")
		v.back().at("/account/sessions").open("/account").sees(e.email) // what is behind is over, and leads on
	})
	t.Run("by backup code", func(t *testing.T) {
		t.Parallel()
		e := tp.newTenant(t).enrolledUser(t)
		v := e.visitor(t, browser, desktop)
		v.open("/signin").fill("E-mail address", e.email).press("Continue").fill("Password", goodPassword).press("Sign in")
		v.press("Backup code").sees("Enter a backup code").fill("Backup code", e.codes[0].(string)).press("Confirm").at("/account")
	})
	t.Run("by security key", func(t *testing.T) {
		t.Parallel()
		tt := tp.newTenant(t)
		email, _ := tt.newUser(t)
		v := tt.visitor(t, browser, desktop).with(u2f)
		v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/account")
		v.open("/account/security/add").press("Security key").press("Add security key").sees("Keep these backup codes").press("I have kept them").open("/signout").press("Sign out everywhere")
		v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/signin/factor").press("Use security key").at("/account")
	})
	t.Run("and is set up where the tenant demands it", func(t *testing.T) {
		t.Parallel()
		tt := tp.newTenant(t)
		email, _ := tt.newUser(t)
		tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["demand"] = "all" }).want(t, 200, "")
		v := tt.visitor(t, browser, phone).withoutScript()
		v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/signin/enrol").sees("asks for a second factor")
		v.press("Authenticator app").at("/signin/enrol/app").tap("You cannot scan it?")
		a := newApp(strings.ReplaceAll(look[string](v, `document.getElementById("secret").textContent`), " ", ""))
		v.reload().sees("Connect your authenticator app") // shows the same secret
		v.fill("2. Enter the code", "000000").press("Connect").sees("This code is not right.")
		v.fill("2. Enter the code", a.code(t, 0)).press("Connect").at("/signin/done").sees("Keep these backup codes").reload().sees("Keep these backup codes")
		v.press("Continue").at("/account")
	})
}

func TestAForgottenPasswordIsResetOnPages(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	p := tt.member(t)
	v := tt.visitor(t, browser, phone).withoutScript()
	v.open("/signin").fill("E-mail address", p.email).press("Continue").press("Forgot your password?")
	if got := v.value("E-mail address"); got != p.email {
		t.Errorf("the address is asked for again, holding %q", got)
	}
	v.press("Send the link").sees("Check your e-mail", p.email)
	link := tt.mailed(t, "reset_password", p.email).link
	v.opens(link).sees("Choose a new password").fill("New password", otherPassword).press("Set password").at("/signin").sees("Your password is changed.")
	v.opens(link).fill("New password", goodPassword).press("Set password").sees("This link has been used")
	v.open("/signin").fill("E-mail address", p.email).press("Continue").fill("Password", otherPassword).press("Sign in").at("/account")
	// Changing it on the account's page ends other sessions, and asks for the one there is.
	v.press("Password").fill("Current password", goodPassword).fill("New password", goodPassword).press("Set password").sees("Your current password is not right.")
	v.fill("Current password", otherPassword).fill("New password", goodPassword).press("Set password").sees("Your password is changed.")
}

func TestADenialIsReadOnAPage(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	tt.decree(t, officeOnly)
	v := tt.visitor(t, browser, desktop)
	v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in")
	v.sees("Your organisation does not allow this", "Please sign in from the office.").accessible("denied")
}

// An address is proved, and changed for another, by links that are mailed.
func TestAddressesAreProvedOnPages(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	p := tt.add(t, jsonBody{"password": goodPassword})
	v := tt.visitor(t, browser, desktop)
	v.open("/signin").fill("E-mail address", p.email).press("Continue").fill("Password", goodPassword).press("Sign in").sees("Verify your e-mail address").press("Send the e-mail again").sees("Check your e-mail")
	v.opens(tt.mailed(t, "verify_email", p.email).link).sees("Confirm that this address is yours").press("Verify").at("/signin").sees("Your address is verified.")
	v.press("Continue").fill("Password", goodPassword).press("Sign in").at("/account") // the address is filled in
	other := uniqueName() + "@people.example"
	v.tap("Change the address").fill("New e-mail address", other).fill("Current password", "not this one").press("Send a link to the new address").sees("Your current password is not right.")
	v.fill("New e-mail address", other).fill("Current password", goodPassword).press("Send a link to the new address").sees("Check your e-mail", other)
	v.opens(tt.mailed(t, "confirm_email_change", other).link).press("Confirm").sees("Your address is changed.")
	v.open("/signin?prompt=login").fill("E-mail address", other).press("Continue").fill("Password", goodPassword).press("Sign in").at("/account").sees(other)
	// Who somebody is, in their own words, and with their picture.
	v.fill("First name", "Ada").fill("Language for e-mails", "xx-not-a-language").press("Save").sees("Please check what you entered.")
	v.fill("Language for e-mails", "de-AT").press("Save").sees("Saved.")
	if got := v.value("First name"); got != "Ada" {
		t.Errorf("the first name is %q", got)
	}
}

// What a language has to say is said in it: nothing of another is on the page.
func TestPagesSpeakThreeLanguages(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	for lang, c := range map[string]struct{ heading, wrong, weak string }{
		"fr": {"Connexion à Test", "ne correspondent à aucun compte", "doit comporter au moins 15 caractères"},
		"de": {"Anmelden bei Test", "passen zu keinem Konto", "muss mindestens 15 Zeichen haben"},
	} {
		b := tt.browserless()
		first := b.send(t, "GET", "/signin", nil, func(r *http.Request) { r.Header.Set("Accept-Language", lang+"-CH,en;q=0.5") })
		if page := text(first); !strings.Contains(page, c.heading) || !strings.Contains(page, `<html lang="`+lang+`"`) {
			t.Errorf("%s is not preferred:\n%s", lang, page)
		}
		if page := text(b.get(t, "/signin?ui_locales="+lang)); !strings.Contains(page, c.heading) {
			t.Errorf("%s is not chosen", lang)
		}
		b.post(t, "/signin/password", url.Values{"email": {email}, "password": {wrongPassword}})
		if page := text(b.get(t, "/signin/password")); !strings.Contains(page, c.wrong) {
			t.Errorf("%s does not stay chosen:\n%s", lang, page)
		}
		link := tt.mailed(t, "invitation", tt.add(t, nil).email).token
		b.post(t, "/set-password", url.Values{"token": {link}, "new_password": {"Xq7 pfkw"}})
		if page := text(b.get(t, "/set-password?token="+link)); !strings.Contains(page, c.weak) {
			t.Errorf("%s does not say why a password is weak:\n%s", lang, page)
		}
	}
	if page := text(tt.browserless().send(t, "GET", "/signin", nil, func(r *http.Request) { r.Header.Set("Accept-Language", "tlh") })); !strings.Contains(page, "Sign in to Test") {
		t.Error("whoever reads none of them does not read the tenant's")
	}
}
