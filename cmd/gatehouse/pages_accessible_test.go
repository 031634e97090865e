package main

import (
	"strings"
	"testing"
)

// Every page is held against WCAG 2.2 AA as far as axe-core can tell, in light and in dark, and its picture is taken at the
// width of a phone and of a desktop. Pictures are for people to look at: they are in .cache/pictures.

func TestPagesBeforeSignInAreAccessible(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	tt.settings(t, func(s map[string]any) {
		s["branding"] = map[string]any{"name": "Acme", "logo": nil, "primary_color": "#7a1f5c"}
	}).want(t, 200, "")
	e := tt.enrolledUser(t)
	invited := tt.add(t, nil)
	v := tt.visitor(t, browser, desktop).with(laptop)
	v.open("/signin").accessible("sign-in").fill("E-mail address", "nobody").press("Continue").accessible("sign-in-wrong")
	v.fill("E-mail address", e.email).press("Continue").accessible("password").fill("Password", "wrong").press("Sign in").accessible("password-wrong")
	v.fill("Password", goodPassword).press("Sign in").at("/signin/factor").accessible("factor").press("Backup code").accessible("factor-backup-code")
	v.open("/forgot").accessible("forgot").fill("E-mail address", e.email).press("Send the link").accessible("mail-sent")
	v.opens(tt.mailed(t, "reset_password", e.email).link).accessible("reset-password")
	v.opens(tt.mailed(t, "invitation", invited.email).link).accessible("set-password").fill("New password", "short").press("Set password").accessible("set-password-wrong")
	v.open("/verify-email?token=x").accessible("verify-email").press("Verify").accessible("verify-email-wrong")
	v.open("/confirm-email?token=x").accessible("confirm-email")
	v.open("/signout").accessible("sign-out").open("/signed-out").accessible("signed-out").open("/nowhere").sees("There is nothing here").accessible("not-found")
	unverified := tt.add(t, jsonBody{"password": goodPassword})
	v.open("/signin").fill("E-mail address", unverified.email).press("Continue").fill("Password", goodPassword).press("Sign in").sees("Verify your e-mail address").accessible("unverified")
	for _, lang := range []string{"fr", "de"} {
		v.open("/signin?ui_locales=" + lang).accessible("sign-in-" + lang)
	}
}

func TestPagesOfAnAccountAreAccessible(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	p := tt.member(t)
	tt.settings(t, func(s map[string]any) {
		s["mfa"].(map[string]any)["demand"] = "all"
		s["mfa"].(map[string]any)["methods"] = []string{"webauthn_passkey", "webauthn_fido", "totp"}
	}).want(t, 200, "")
	v := tt.visitor(t, browser, desktop).with(laptop)
	v.open("/signin").fill("E-mail address", p.email).press("Continue").fill("Password", goodPassword).press("Sign in").at("/signin/enrol").accessible("enrolment")
	v.press("Authenticator app").accessible("enrolment-app").press("Choose another way").press("Passkey").accessible("enrolment-passkey")
	v.press("Create passkey").at("/signin/done").accessible("signed-in").press("Continue").at("/account").accessible("account")
	v.press("Password").accessible("account-password").press("Security").accessible("account-security").tap("Remove Passkey").sees("Remove Passkey?").accessible("account-remove-factor")
	v.press("Back").press("Make new backup codes").accessible("account-new-codes").press("Replace my codes").accessible("account-codes")
	v.press("I have kept them").press("Sessions").accessible("account-sessions").press("Activity").accessible("account-activity")
}

func TestPagesOfTheConsoleAreAccessible(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt := tp.newTenant(t)
	tt.settings(t, func(s map[string]any) {
		s["branding"] = map[string]any{"name": "Acme", "logo": nil, "primary_color": "#1f4f8f"}
	}).want(t, 200, "")
	for _, name := range []string{"Ada Lovelace", "Grace Hopper", "Alan Turing"} {
		tt.add(t, jsonBody{"name": name, "email": strings.ToLower(strings.Fields(name)[0]) + "@acme.example", "password": goodPassword, "email_verified": true})
	}
	tt.decree(t, `@notice("From the office, or with a passkey.")
forbid (principal, action in [Action::"login", Action::"refresh"], resource)
unless { principal in Role::"admin" || context.ip.isInRange(ip("127.0.9.0/24")) || context.amr.containsAny(["hwk", "swk"]) };`)
	tt.login(t, "grace@acme.example", goodPassword) // for the rehearsal to have somebody
	v := tt.visitor(t, browser, desktop)
	tt.administrator(t, v)
	v.accessible("console-people").press("ada@acme.example").accessible("console-person").press("Suspend").accessible("console-suspend")
	v.open("/console/users/invite").accessible("console-invite")
	v.press("Domains").fill("Domain", "login.acme.example").press("Add a domain").accessible("console-domains").press("Appearance").accessible("console-appearance")
	v.press("Sign-in").accessible("console-sign-in").press("API keys").fill("Name", "Nightly import").tap("users:read").press("Make a key").accessible("console-key-made").press("I have kept it").accessible("console-keys")
	v.press("Policies").accessible("console-policies").press("Test").accessible("console-policy").press("Rehearse first").sees("What would have happened").accessible("console-rehearsal")
	v.press("Audit log").press("Verify the log").accessible("console-audit")
}
