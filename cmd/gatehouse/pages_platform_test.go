package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// enters signs somebody in on the way to a page.
func (v *visitor) enters(path, email string) *visitor {
	v.t.Helper()
	return v.open(path).at("/signin").fill("E-mail address", email).press("Continue").fill("Password", goodPassword).press("Sign in")
}

// chooses picks an option of a list by its text.
func (v *visitor) chooses(label, option string) *visitor {
	v.t.Helper()
	v.mark("field", label)
	if !look[bool](v, `(() => { const e = document.querySelector("[data-marked]"), o = [...e.options].find((o) => (o.text + " ").startsWith(`+quoted(option+" ")+`));
		if (o) e.value = o.value; return !!o; })()`) {
		v.t.Fatalf("%q cannot be chosen for %q", option, label)
	}
	return v
}

// A tenant's whole life, by somebody with a browser that runs no scripts: made, renamed, suspended, resumed, given other keys, put
// to death, restored and deleted.
func TestTenantsAreRunOnPages(t *testing.T) {
	t.Parallel()
	second := tenancytest.Database(t)
	tp := startOn(t, tenancytest.Install(t), func(c *config) { c.MoreDatabases = []database{beside("shared-2", second)} }) // its lists are short
	browser := startBrowser(t, tp)
	master := tp.platformTenant(t)
	email, _ := master.newUser(t, "admin")
	v := master.visitor(t, browser, desktop).withoutScript()
	slug := uniqueName()
	name := "Acme " + slug

	v.enters("/account", email).at("/account").press("Platform").at("/platform").sees("Platform", "active")
	v.press("New tenant").fill("Name", name).fill("Slug", tp.newTenant(t).slug).press("Create tenant").at("/platform/create").sees("This slug is another tenant’s")
	v.fill("Slug", "-").press("Create tenant").at("/platform/create").sees("must be 3 to 40")
	if got := v.value("Name"); got != name {
		t.Errorf("the form has forgotten the name: %q", got)
	}
	v.fill("Slug", slug).fill("Owner’s e-mail address", "ada@"+slug+".example").chooses("Database", "shared-1").press("Create tenant").sees("Administration key", "The tenant is there.")
	key := look[string](v, `document.getElementById("admin-key").textContent`)
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 200, "")
	v.reload().sees(key).press("I have kept it").sees("Change", "ada@"+slug+".example")
	at := look[string](v, `location.pathname`)
	if v.open(at + "/admin-key").at(at); strings.Contains(v.text(), key) {
		t.Error("the key is shown again")
	}

	v.fill("Slug", slug+"-2").fill("Language", "fr-CA").press("Save").sees("Saved.", "fr-CA")
	v.press("Move to another database").chooses("Database", "shared-2").press("Move to another database").at(at).sees("The tenant lives in the other database now.")
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 200, "")
	v.fill("Language", "nonsense!").press("Save").sees("must be a language tag")
	v.open(at).press("Suspend tenant").at(at + "/suspend").sees("Nobody can sign in there").press("Suspend tenant").at(at).sees("The tenant is suspended.")
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 403, "tenant_suspended")
	v.press("Resume tenant").at(at).sees("The tenant is active again.")
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 200, "")

	v.press("Signing keys").at(at+"/keys").chooses("Algorithm", "EdDSA").press("Rotate").at(at+"/keys").sees("A key is published.", "published", "Signs from")
	v.chooses("Algorithm", "RS256").press("Rotate").at(at + "/keys").sees("A rotation to another algorithm is under way.")
	kid := look[string](v, `document.querySelector("td code").textContent`)
	v.press("Revoke key "+kid).at(at+"/keys/revoke").sees(kid).press("Revoke").at(at+"/keys").sees("The key is revoked.", "revoked")

	v.press("Back").at(at).press("Delete tenant").at(at+"/delete").sees("What would be destroyed", "audit_log", "Sealing key")
	v.fill("Days of grace", "7").fill("To confirm", slug).press("Delete tenant").at(at + "/delete").sees("This is not the tenant’s slug.")
	if got := v.value("Days of grace"); got != "7" {
		t.Errorf("the form has forgotten the days: %q", got)
	}
	v.fill("To confirm", slug+"-2").press("Delete tenant").at(at).sees("The tenant will be deleted.", "It will be deleted after")
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 404, "not_found")
	v.press("Restore tenant").at(at).sees("The tenant is restored.")
	tp.do(t, request{method: "GET", host: slug + ".localhost", path: "/v1/users", key: key}).want(t, 200, "")
	v.press("Delete tenant").fill("Days of grace", "0").fill("To confirm", slug+"-2").press("Delete tenant").at(at+"/receipt").sees("The tenant is destroyed.", "gatehouse tenant receipt verify")
	receipt := look[string](v, `document.querySelector("pre").textContent`)
	keys, err := audit.ParseKeys(tp.do(t, request{method: "GET", host: master.host, path: "/.well-known/jwks.json"}).want(t, 200, "").body)
	if err != nil {
		t.Fatal(err)
	}
	if says, _, err := tenancy.VerifyReceipt(receipt, keys); err != nil || string(says.Slug) != slug+"-2" {
		t.Errorf("the receipt shown says %+v, %v", says, err)
	}
	v.reload().sees(receipt).open(at).sees("There is nothing here").open(at + "/delete").at(at + "/receipt")
	v.open("/platform").sees("Platform")
	if strings.Contains(v.text(), name) {
		t.Error("a deleted tenant is listed")
	}
}

// Whoever is no administrator of the platform tenant finds no console.
func TestThePlatformConsoleIsForThePlatform(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	tt, master := tp.newTenant(t), tp.platformTenant(t)
	pages := []string{"/platform", "/platform/create", "/platform/health"}
	for _, page := range []string{"", "/suspend", "/delete", "/receipt", "/receipt/file", "/keys", "/keys/revoke?kid=x", "/admin-key"} {
		pages = append(pages, "/platform/tenant/"+tt.id+page)
	}
	t.Run("another tenant's administrator", func(t *testing.T) {
		t.Parallel()
		email, _ := tt.newUser(t, "admin")
		v := tt.visitor(t, browser, phone).enters("/account", email).at("/account")
		if strings.Contains(v.text(), "Platform") {
			t.Error("the way to the console is shown")
		}
		for _, page := range pages {
			v.open(page).sees("There is nothing here")
		}
	})
	t.Run("somebody of the platform", func(t *testing.T) {
		t.Parallel()
		email, _ := master.newUser(t)
		v := master.visitor(t, browser, phone).enters("/platform", email).at("/platform").sees("You do not have the right to do this.")
		for _, page := range pages {
			v.open(page).sees("You do not have the right to do this.")
		}
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		tt.visitor(t, browser, phone).open("/platform").sees("There is nothing here")
	})
}

// More tenants than a page holds are on the next one.
func TestTenantsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	master := tp.platformTenant(t)
	more := func() bool {
		return tp.do(t, request{method: "GET", path: "/v1/tenants", key: tp.platformKey}).want(t, 200, "").field("has_more") == true
	}
	for !more() {
		tp.newTenant(t)
	}
	email, _ := master.newUser(t, "admin")
	v := master.visitor(t, browser, phone).withoutScript().enters("/platform", email).at("/platform")
	linked := func() bool { return look[bool](v, `!!document.querySelector("a[href$='`+master.id+`']")`) }
	if !linked() {
		t.Error("the first tenant is not on the first page")
	}
	if v.press("Show more").at("/platform").sees("active"); linked() {
		t.Error("the first tenant is on the second page, too")
	}
}

func TestThePlatformConsoleIsAccessible(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	browser := startBrowser(t, tp)
	tt, master := tp.newTenant(t), tp.platformTenant(t)
	email, _ := master.newUser(t, "admin")
	v := master.visitor(t, browser, desktop).enters("/platform", email).at("/platform").sees(tt.slug).accessible("platform")
	v.press("New tenant").accessible("platform-create")
	v.press("Health").sees("All tenants are at version", "Key custody", "answers", "a server is set", "shared-1").accessible("platform-health")
	at := "/platform/tenant/" + tt.id
	v.open(at).sees(tt.slug).accessible("platform-tenant")
	v.open("/platform/tenant/" + master.id).sees("The platform tenant keeps its slug").accessible("platform-master")
	v.open(at+"/delete").accessible("platform-delete").fill("To confirm", "x").press("Delete tenant").sees("This is not the tenant’s slug.").accessible("platform-delete-wrong")
	v.open(at + "/suspend").accessible("platform-suspend").press("Suspend tenant").sees("suspended").accessible("platform-suspended")
	v.open(at + "/keys").press("Rotate").accessible("platform-keys")
	v.open(at + "/keys/revoke?kid=x").accessible("platform-revoke").press("Revoke").sees("There is nothing here")
	v.open(at+"/delete").fill("To confirm", tt.slug).press("Delete tenant").sees("will be deleted").accessible("platform-deleting")
	v.press("Delete now")
	if got := v.value("Days of grace"); got != "0" {
		t.Errorf("for one that is to be deleted the form offers %q days", got)
	}
	v.fill("To confirm", tt.slug).press("Delete tenant").sees("is destroyed").accessible("platform-receipt")
	if file := do(t, v.tab, chromedp.Evaluate[string](`fetch(document.querySelector("a[download]").href).then((a) => a.text())`, chromedp.EvalAwaitPromise)); strings.TrimSpace(file) != look[string](v, `document.querySelector("pre").textContent`) {
		t.Errorf("the file is not the receipt: %q", file)
	}
	v.open("/platform/create?ui_locales=de").fill("Name", "Acme").fill("Kurzname", uniqueName()).press("Mandanten anlegen").sees("Verwaltungsschlüssel").accessible("platform-admin-key")
	v.open("/platform/health").accessible("platform-health-de").open("/platform/create?ui_locales=fr").accessible("platform-create-fr")
}
