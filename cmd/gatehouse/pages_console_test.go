package main

import (
	"strings"
	"testing"
	"time"
)

// An administrator does a day's work, with a browser and nothing else.

// administrator is one who has just signed in with their password.
func (tt testTenant) administrator(t *testing.T, v *visitor) (email string) {
	t.Helper()
	email, _ = tt.newUser(t, "admin", "user")
	v.open("/signin?next=/console").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/console/users")
	return email
}

func TestAnAdministratorSeesToPeople(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	v := tt.visitor(t, browser, desktop)
	self := tt.administrator(t, v)
	v.press("Invite somebody").fill("E-mail address", "nobody").fill("Name", "Carla").press("Send invitation").sees("Please check what you entered.")
	guest := uniqueName() + "@people.example"
	v.fill("E-mail address", guest).press("Send invitation").at("/console/user").sees("The invitation is on its way.", guest, "Not verified yet")
	if tt.mailed(t, "invitation", guest).link == "" {
		t.Error("the invitation has no link")
	}
	email, id := tt.newUser(t)
	v.open("/console/users").fill("Name or e-mail address", strings.Split(email, "@")[0]).press("Search").sees(email).press(email).at("/console/user")
	v.fill("Name", "Somebody Else").tap("Administrator").press("Save").sees("Saved.")
	v.press("Suspend").sees("Suspend "+email+"?").press("Suspend").sees("The account is suspended.", "Suspended")
	tt.login(t, email, goodPassword).want(t, 401, "invalid_credentials")
	v.press("Reactivate").sees("The account is active again.")
	v.press("Reset second factors").press("Reset second factors").sees("The second factors are removed.")
	v.press("Sign out everywhere").press("Sign out everywhere").sees("They are signed out everywhere.")
	v.press("Audit log").at("/console/audit").sees("Account suspended", "Second factors reset")
	v.open("/console/user?id=" + id).press("Delete").press("Delete").at("/console/users").sees("The account is deleted.")
	tt.login(t, email, goodPassword).want(t, 401, "invalid_credentials")
	// Nobody takes their own rights away by a slip.
	v.press(self).sees("This is your own account.")
	if page := v.text(); strings.Contains(page, "Suspend") || strings.Contains(page, "Administrator") {
		t.Errorf("one can suspend oneself on\n%s", page)
	}
	v.fill("Name", "Chief").press("Save").sees("Saved.")
	v.open("/console/users").sees("Administrator User")
}

func TestAnAdministratorDecidesHowPeopleSignIn(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	v := tt.visitor(t, browser, desktop)
	email := tt.administrator(t, v)
	v.press("Sign-in").fill("Days of grace for new accounts", "1000").press("Save").sees("Please check what you entered.", "must be from 0 to 90")
	v.fill("Days of grace for new accounts", "14").tap("Everybody").fill("Return URLs", appURL).press("Save").sees("Saved.")
	v.press("Appearance").fill("Name", "Acme & Söhne").press("Save").sees("Saved.")
	v.eventually("/console/branding", `document.querySelector("header").innerText.includes("Acme & Söhne")`)
	look[bool](v, `(() => { document.getElementById("primary_color").value = "#ffff00"; return true; })()`)
	v.press("Save").sees("dark enough for white letters")
	look[bool](v, `(() => { document.getElementById("primary_color").value = "#7a1f5c"; return true; })()`)
	v.press("Save").sees("Saved.")
	v.eventually("/console/branding", `getComputedStyle(document.querySelector("form button")).backgroundColor === "rgb(122, 31, 92)"`)
	v.press("API keys").fill("Name", "Nightly import").tap("users:write").press("Make a key").sees("It is shown only now.")
	raw := look[string](v, `document.getElementById("key").textContent`)
	tt.at(t, "POST", "/v1/users", request{key: raw, body: jsonBody{"email": uniqueName() + "@people.example", "name": "Imported"}}).want(t, 201, "")
	v.press("I have kept it").sees("Nightly import").tap("Revoke Nightly import").sees("Revoke the key Nightly import?").press("Revoke").sees("The key is revoked.")
	tt.at(t, "GET", "/v1/users", request{key: raw}).want(t, 401, "unauthenticated")

	v.press("Policies").press("New policy").fill("Name", "Office").press("Rehearse first").sees("What would have happened", "Would be refused", email)
	v.fill("Rules in Cedar", "forbid (principal,").press("Save").sees("line 1")
	v.fill("Rules in Cedar", `forbid (principal, action, resource);`).press("Save").sees("The policy is added.", "Only watched, and logged")
	v.press("Office").tap("Enforced").press("Save").sees("you could no longer change policies yourself")
	v.fill("Rules in Cedar", `@notice("Administrators only.") forbid (principal, action == Action::"login", resource) unless { principal in Role::"admin" };`).press("Save").sees("Saved.")
	other, _ := tt.newUser(t)
	tt.login(t, other, goodPassword).want(t, 403, "policy_denied")
	v.press("Office").press("Delete").press("Delete").sees("The policy is deleted.")

	v.press("Domains").fill("Domain", "login.customer.example").press("Add a domain").sees("Now put the record below into your DNS", "login.customer.example", "Not verified yet")
	v.tap("Check now login.customer.example").sees("The record is not there yet.")
	v.tap("Remove login.customer.example").sees("Give up login.customer.example?").press("Remove").sees("The domain is given up.")

	v.press("Audit log").press("Verify the log").sees("are as they were written.")
	tt.exec(t, `update audit_log set entry = replace(entry, 'settings.changed', 'settings.chanced') where action = 'settings.changed'`)
	v.press("Verify the log").sees("The log is not what was written!")
}

// Whoever administers nothing sees nothing of it, and neither does the administrator of another tenant.
func TestTheConsoleIsForAdministrators(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	v := tt.visitor(t, browser, desktop)
	v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/account")
	for _, page := range []string{"users", "domains", "branding", "settings", "policies", "keys", "audit"} {
		v.open("/console/" + page).sees("You do not have the right to do this.")
	}
}

// What could take an account over is done by whoever has just proved who they are.
func TestOldSessionsProveThemselvesAgain(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	email, user := tt.newUser(t)
	v := tt.visitor(t, browser, desktop).with(laptop)
	v.open("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/account")
	age := func() {
		tt.exec(t, `update sessions set auth_time = auth_time - $2::interval where user_id = $1`, user, 11*time.Minute)
	}
	age()
	v.open("/account/security/add").press("Passkey").at("/signin/password").sees("please confirm again that it is you").fill("Password", goodPassword).press("Sign in").at("/account/security/add")
	v.press("Passkey").press("Create passkey").sees("Keep these backup codes").press("I have kept them")
	if n := tt.count(t, `select count(*) from sessions where user_id = $1`, user); n != 1 {
		t.Errorf("%d sessions are left of one browser", n)
	}
	age()
	v.press("Make new backup codes").press("Replace my codes").at("/signin/factor").press("Use passkey").at("/account/security/new-codes").press("Replace my codes").sees("The old codes no longer work.")
}
