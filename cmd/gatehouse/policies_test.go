package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The office of these tests is 127.0.9.0/24; requests come from 127.0.0.1 unless they say otherwise.
const (
	atTheOffice = "127.0.9.7"
	officeOnly  = `@notice("Please sign in from the office.") @notice_de("Bitte melden Sie sich im Büro an.")
forbid (principal, action in [Action::"login", Action::"refresh"], resource) unless { context.ip.isInRange(ip("127.0.9.0/24")) };`
	orPasskey = `@notice("From the office, or with a passkey.")
forbid (principal, action in [Action::"login", Action::"refresh"], resource)
unless { context.ip.isInRange(ip("127.0.9.0/24")) || context.amr.containsAny(["hwk", "swk"]) };`
)

// decree adds a policy of some rules by the tenant's key. Where it was made it holds at once.
func (tt testTenant) decree(tb testing.TB, rules string) (id string) {
	tb.Helper()
	a := tt.do(tb, asKey(tt.host, tt.key)("POST", "/v1/policies", jsonBody{"name": "Test", "cedar_policy_set": rules})).want(tb, 201, "")
	return a.text("id")
}

func (tt testTenant) loginAt(tb testing.TB, from, email, pw string) answer {
	tb.Helper()
	return tt.do(tb, request{method: "POST", host: tt.host, path: "/v1/auth/login", from: from, body: jsonBody{"email": email, "password": pw}})
}

func notices(a answer) []string {
	list, _ := a.field("notices").([]any)
	var all []string
	for _, n := range list {
		all = append(all, fmt.Sprint(n))
	}
	return all
}

func TestAPolicyDecidesWhoSignsIn(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	tt.decree(t, officeOnly)
	tt.loginAt(t, atTheOffice, email, goodPassword).want(t, 200, "")
	denied := tt.login(t, email, goodPassword).want(t, 403, "policy_denied")
	if got := notices(denied); !slices.Equal(got, []string{"Please sign in from the office."}) {
		t.Errorf("notices %q", got)
	}
	tt.login(t, email, "a wrong and long password").want(t, 401, "invalid_credentials") // says nothing of policies
	tt.exec(t, `update users set locale = 'de-AT' where id = $1`, user)
	if got := notices(tt.login(t, email, goodPassword).want(t, 403, "policy_denied")); !slices.Equal(got, []string{"Bitte melden Sie sich im Büro an."}) {
		t.Errorf("notices in German: %q", got)
	}
	other := tt.newTenant(t)
	elsewhere, _ := other.newUser(t)
	other.login(t, elsewhere, goodPassword).want(t, 200, "") // another tenant has rules of its own
	if n := tt.count(t, `select count(*) from audit_log where resource_id = $1 and action = 'login.failed' and entry like '%"reason":"policy_denied"%'`, user); n != 2 {
		t.Errorf("%d denials are in the audit log, want 2", n)
	}
}

func TestAPermitHasSomethingToSay(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	tt.decree(t, `@notice("Maintenance on Sunday.") permit (principal, action == Action::"login", resource);`)
	if got := notices(tt.login(t, email, goodPassword).want(t, 200, "")); !slices.Equal(got, []string{"Maintenance on Sunday."}) {
		t.Errorf("notices %q", got)
	}
}

func TestADeniedLoginIsStillPermittedWithAFactorThatHelps(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	withKey, withApp := tt.keyedUser(t, "webauthn_passkey"), tt.enrolledUser(t)
	without, _ := tt.newUser(t)
	tt.settings(t, func(s map[string]any) { s["mfa"].(map[string]any)["methods"] = []string{"totp", "webauthn_passkey"} }).want(t, 200, "")
	tt.decree(t, orPasskey)

	owed := tt.login(t, withKey.email, goodPassword).want(t, 200, "")
	if owed.field("mfa_required") != true {
		t.Fatalf("not asked for the passkey: %s", owed.body)
	}
	options := tt.begin(t, owed.text("challenge_id")).want(t, 200, "").field("options")
	tt.complete(t, owed.text("challenge_id"), withKey.sign(t, options, nil)).want(t, 200, "")

	if got := notices(tt.login(t, withApp.email, goodPassword).want(t, 403, "policy_denied")); !slices.Equal(got, []string{"From the office, or with a passkey."}) {
		t.Errorf("whose factor does not help is told %q", got)
	}
	enrol := tt.login(t, without, goodPassword).want(t, 200, "")
	if methods := fmt.Sprint(enrol.field("methods")); enrol.field("enrollment_required") != true || methods != "[webauthn_passkey]" {
		t.Errorf("who has no factor is asked %s", enrol.body)
	}
	tt.post(t, "/v1/auth/mfa/enroll-via-challenge", "", jsonBody{"challenge_id": enrol.text("challenge_id"), "action": "generate"}).want(t, 401, "challenge_expired")
}

// A code is asked for, because it would help; where the user moves away while they type it, it does not.
func TestWhatWasProvedIsPutToTheRulesAgain(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.enrolledUser(t)
	tt.decree(t, `forbid (principal, action == Action::"login", resource) unless { context.ip.isInRange(ip("127.0.9.0/24")) && context.amr.contains("otp") };`)
	owed := tt.loginAt(t, atTheOffice, u.email, goodPassword).want(t, 200, "")
	tt.prove(t, owed.text("challenge_id"), "totp", u.app.code(t, 1)).want(t, 403, "policy_denied")
}

func TestADeniedRefreshSpendsNothing(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	token := tt.login(t, email, goodPassword).want(t, 200, "").text("refresh_token")
	id := tt.decree(t, officeOnly)
	refreshAt := func(from string) answer {
		return tt.do(t, request{method: "POST", host: tt.host, path: "/v1/auth/refresh", from: from, body: jsonBody{"refresh_token": token}})
	}
	if got := notices(refreshAt("").want(t, 403, "policy_denied")); len(got) != 1 {
		t.Errorf("notices %q", got)
	}
	refreshAt("").want(t, 403, "policy_denied")
	refreshAt("").want(t, 403, "policy_denied")
	if n := tt.recorded(t, "policy.denied", user); n != 1 {
		t.Errorf("one who goes on asking is recorded %d times", n)
	}
	next := refreshAt(atTheOffice).want(t, 200, "").text("refresh_token")
	tt.do(t, asKey(tt.host, tt.key)("DELETE", "/v1/policies/"+id, nil)).want(t, 204, "")
	token = next
	refreshAt("").want(t, 200, "")
}

func TestRulesDecideWhoAdministers(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	helper, helperID := tt.signIn(t)
	get := func(token, path string) answer { return tt.do(t, tt.asUser(token)("GET", path, nil)) }
	get(helper, "/v1/users").want(t, 403, "forbidden")
	tt.decree(t, `permit (principal == User::"`+helperID+`", action == Action::"call_api", resource) when { context.scope like "users:*" };
@notice("Not on this system.") forbid (principal, action == Action::"call_api", resource) when { context.operation == "DELETE /v1/users/{id}" };`)
	get(helper, "/v1/users").want(t, 200, "")
	get(helper, "/v1/settings").want(t, 403, "forbidden")
	tt.decree(t, `forbid (principal == User::"`+helperID+`", action == Action::"call_api", resource) when { context.operation == "GET /v1/users/{id}" };`)
	get(helper, "/v1/users/"+helperID).want(t, 403, "policy_denied")
	if a := tt.do(t, tt.asUser(helper)("HEAD", "/v1/users/"+helperID, nil)); a.status != 403 {
		t.Errorf("HEAD is another operation than GET: %d", a.status)
	}
	_, victim := tt.newUser(t)
	del := tt.do(t, tt.asUser(admin)("DELETE", "/v1/users/"+victim, nil)).want(t, 403, "policy_denied")
	if got := notices(del); !slices.Equal(got, []string{"Not on this system."}) {
		t.Errorf("notices %q", got)
	}
	// Who may write users is not thereby an administrator, nor makes one.
	tt.do(t, tt.asUser(helper)("POST", "/v1/users", jsonBody{"email": "x@people.example", "name": "X", "roles": []string{"admin"}})).want(t, 403, "forbidden")
	tt.do(t, tt.asUser(helper)("PUT", "/v1/users/"+helperID, jsonBody{"roles": []string{"admin"}})).want(t, 403, "forbidden")
	tt.do(t, tt.asUser(helper)("POST", "/v1/api-keys", jsonBody{"name": "X", "scopes": []string{"users:write"}})).want(t, 403, "forbidden")
	// A key is governed by its scopes.
	tt.do(t, asKey(tt.host, tt.key)("DELETE", "/v1/users/"+victim, nil)).want(t, 204, "")
}

func TestNobodyLocksThemselvesOut(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	as := tt.asUser(admin)
	for name, rules := range map[string]string{
		"of policies":   `@notice("Nobody.") forbid (principal, action == Action::"call_api", resource) when { context.scope == "policies:write" };`,
		"of signing in": `forbid (principal, action == Action::"login", resource) unless { context.ip.isInRange(ip("10.0.0.0/8")) };`,
		"of a session":  `forbid (principal, action == Action::"refresh", resource);`,
		"by a mistake":  `forbid (principal, action, resource) when { context.failures_last_day * 9223372036854775807 + 9223372036854775807 + context.hour > 0 };`,
	} {
		if name == "by a mistake" {
			rules = `forbid (principal, action, resource) when { 9223372036854775807 + 1 + context.hour > 0 };`
		}
		tt.do(t, as("POST", "/v1/policies", jsonBody{"name": name, "cedar_policy_set": rules})).want(t, 409, "would_lock_out")
	}
	tt.do(t, as("DELETE", "/v1/policies/00000000-0000-7000-8000-000000000001", nil)).want(t, 409, "would_lock_out")
	tt.do(t, as("PUT", "/v1/policies/00000000-0000-7000-8000-000000000001", jsonBody{"name": "Default", "enabled": false})).want(t, 409, "would_lock_out")
	// To be asked for more is not to be locked out.
	tt.do(t, as("POST", "/v1/policies", jsonBody{"name": "More", "cedar_policy_set": `forbid (principal, action == Action::"login", resource) unless { context.amr.contains("mfa") };`})).want(t, 201, "")
	// What a key does nobody is asked about; the operator has a way back.
	id := tt.decree(t, `forbid (principal, action, resource);`)
	tt.do(t, as("GET", "/v1/policies", nil)).want(t, 403, "policy_denied")
	if err := tt.policies.Reset(t.Context(), tt.record(t)); err != nil {
		t.Fatal(err)
	}
	if tt.do(t, as("GET", "/v1/policies/"+id, nil)).want(t, 200, "").field("enabled") != false {
		t.Error("the policy that locked everybody out is enabled")
	}
}

func TestAWatchedPolicyIsRecordedAndNotEnforced(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	tt.do(t, asKey(tt.host, tt.key)("POST", "/v1/policies", jsonBody{"name": "Soon", "mode": "shadow", "cedar_policy_set": officeOnly})).want(t, 201, "")
	tt.login(t, email, goodPassword).want(t, 200, "")
	tt.loginAt(t, atTheOffice, email, goodPassword).want(t, 200, "")
	if n := tt.recorded(t, "policy.would_have_denied", user); n != 1 {
		t.Errorf("%d entries say what would have been denied, want 1", n)
	}
}

func TestWhatIsKnownOfAUserCanBeAskedFor(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	tt.login(t, email, goodPassword).want(t, 200, "")
	tt.decree(t, `@notice("A new device.") forbid (principal, action == Action::"login", resource) unless { context.known_device };
@notice("Too many tries.") forbid (principal, action == Action::"login", resource) when { context.failures_last_day > 3 };`)
	tt.login(t, email, goodPassword).want(t, 200, "")
	with := request{method: "POST", host: tt.host, path: "/v1/auth/login", header: map[string]string{"User-Agent": "Another/1"}, body: jsonBody{"email": email, "password": goodPassword}}
	for range 4 {
		if got := notices(tt.do(t, with).want(t, 403, "policy_denied")); got[0] != "A new device." {
			t.Errorf("notices %q", got)
		}
	}
	if got := notices(tt.login(t, email, goodPassword).want(t, 403, "policy_denied")); !slices.Equal(got, []string{"Too many tries."}) {
		t.Errorf("notices %q", got)
	}
}

func TestRulesAreWrittenAsTextAndInParts(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	by := asKey(tt.host, tt.key)
	list := tt.do(t, by("GET", "/v1/policies", nil)).want(t, 200, "")
	if data := list.field("data").([]any); len(data) != 1 || len(data[0].(map[string]any)["rules"].([]any)) != 2 {
		t.Fatalf("a tenant begins with %s", list.body)
	}
	p := tt.do(t, by("POST", "/v1/policies", jsonBody{"name": "Hours", "priority": 5, "rules": []jsonBody{{"effect": "forbid", "principal_scope_type": "in", "principal_entity_type": "Role",
		"principal_entity_id": "contractor", "action_scope_type": "in", "action_ids": []string{"login", "refresh"}, "conditions": "context.hour < 6", "notice": "Good night."}}})).want(t, 201, "")
	path := "/v1/policies/" + p.text("id")

	rule := p.field("rules").([]any)[0].(map[string]any)
	if text := rule["policy_text"].(string); !strings.Contains(text, `principal in Role::"contractor"`) || !strings.Contains(text, `@notice("Good night.")`) {
		t.Errorf("assembled: %s", text)
	}
	r := tt.do(t, by("POST", path+"/rules", jsonBody{"policy_text": "// as written\npermit (principal, action, resource) when { context.hour == 3 };", "effect": "forbid"})).want(t, 201, "")
	if r.text("effect") != "permit" || r.field("ordinal") != 2.0 || !strings.HasPrefix(r.text("policy_text"), "// as written") || r.field("conditions") == nil {
		t.Errorf("added: %s", r.body)
	}
	// Sent back with another notice it has another notice; sent back as it was it stays as it was written.
	same := tt.do(t, by("PUT", path+"/rules/"+r.text("id"), string(r.body))).want(t, 200, "")
	if same.text("policy_text") != r.text("policy_text") {
		t.Errorf("sent back: %s", same.body)
	}
	other := tt.do(t, by("PUT", path+"/rules/"+r.text("id"), strings.Replace(string(r.body), `"notice":null`, `"notice":"At three."`, 1))).want(t, 200, "")
	if other.text("notice") != "At three." || !strings.Contains(other.text("policy_text"), `@notice("At three.")`) {
		t.Errorf("with a notice: %s", other.body)
	}
	part := tt.do(t, by("PUT", path+"/rules/"+r.text("id"), jsonBody{"conditions": "context.hour == 4"})).want(t, 200, "")
	if part.text("notice") != "At three." || !strings.Contains(part.text("policy_text"), "context.hour == 4") || part.text("effect") != "permit" {
		t.Errorf("with other conditions alone: %s", part.body)
	}
	if p := tt.do(t, by("PUT", path, jsonBody{"enabled": false})).want(t, 200, ""); p.text("name") != "Hours" || len(p.field("rules").([]any)) != 2 {
		t.Errorf("switched off and nothing else: %s", p.body)
	}
	tt.do(t, by("PUT", path, jsonBody{"enabled": true, "rules": nil})).want(t, 400, "invalid_request")
	bad := tt.do(t, by("POST", path+"/rules", jsonBody{"policy_text": "permit (principal, action, resource)\nwhen { context.hours > 3 };"})).want(t, 400, "invalid_request")
	if e := bad.field("details.errors").([]any)[0].(map[string]any); e["line"] != 2.0 || e["column"] != 16.0 || !strings.Contains(e["reason"].(string), "hours") {
		t.Errorf("a rule of another schema: %s", bad.body)
	}
	bad = tt.do(t, by("POST", path+"/rules", jsonBody{"effect": "permit", "conditions": "context.hour >"})).want(t, 400, "invalid_request")
	if e := bad.field("details.errors").([]any)[0].(map[string]any); e["line"] == 0.0 {
		t.Errorf("conditions that do not parse: %s", bad.body)
	}
	tt.do(t, by("DELETE", path+"/rules/"+r.text("id"), nil)).want(t, 204, "")
	tt.do(t, by("GET", path+"/rules/"+r.text("id"), nil)).want(t, 404, "not_found")
	rules := tt.do(t, by("GET", path+"/rules", nil)).want(t, 200, "")
	if n := len(rules.field("data").([]any)); n != 1 {
		t.Errorf("%d rules are left", n)
	}
	back := tt.do(t, by("GET", path, nil)).want(t, 200, "")
	if again := tt.do(t, by("PUT", path, string(back.body))).want(t, 200, ""); again.text("rules") != back.text("rules") || again.text("name") != "Hours" {
		t.Errorf("a policy sent back: %s", again.body)
	}
	if s := tt.do(t, by("GET", "/v1/policies/schema", nil)).want(t, 200, ""); !strings.Contains(s.text("cedar"), "entity User") || s.field("json") == nil {
		t.Errorf("schema: %s", s.body)
	}
	stranger := tt.newTenant(t)
	stranger.do(t, asKey(stranger.host, stranger.key)("GET", path, nil)).want(t, 404, "not_found")
	tt.do(t, by("DELETE", path, nil)).want(t, 204, "")
	tt.do(t, by("DELETE", path, nil)).want(t, 404, "not_found")
}

// simulate asks what a draft would decide.
func (tt testTenant) simulate(tb testing.TB, body jsonBody) answer {
	tb.Helper()
	return tt.do(tb, asKey(tt.host, tt.key)("POST", "/v1/policies/simulate", body)).want(tb, 200, "")
}

func TestADraftIsPutToARequestThatIsMadeUp(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	plain, _ := tt.newUser(t)
	now := tt.simulate(t, jsonBody{"request": jsonBody{"email": plain}})
	if now.text("request.outcome") != "permit" || len(now.field("request.rules").([]any)) != 1 {
		t.Errorf("as things are: %s", now.body)
	}
	draft := func(with jsonBody) answer {
		return tt.simulate(t, jsonBody{"cedar_policy_set": orPasskey, "request": with})
	}
	if a := draft(jsonBody{"email": u.email}); a.text("request.outcome") != "challenge" || fmt.Sprint(a.field("request.methods")) != "[webauthn_passkey]" {
		t.Errorf("who has a passkey: %s", a.body)
	}
	if a := draft(jsonBody{"email": plain, "ip": atTheOffice}); a.text("request.outcome") != "permit" {
		t.Errorf("at the office: %s", a.body)
	}
	if a := draft(jsonBody{"email": plain, "action": "refresh"}); a.text("request.outcome") != "deny" || fmt.Sprint(a.field("request.notices")) != "[From the office, or with a passkey.]" {
		t.Errorf("a refresh elsewhere: %s", a.body)
	}
	tt.login(t, plain, goodPassword).want(t, 200, "") // and nothing has changed
}

func TestADraftIsRehearsedOnTheTenantsOwnLogins(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	fine, fineID := tt.newUser(t)
	away, awayID := tt.newUser(t)
	u := tt.keyedUser(t, "webauthn_passkey")
	for range 2 {
		tt.loginAt(t, atTheOffice, fine, goodPassword).want(t, 200, "")
		tt.loginAt(t, "127.0.8.1", away, goodPassword).want(t, 200, "")
	}
	tt.loginAt(t, "127.0.8.1", u.email, goodPassword).want(t, 200, "") // begun and not ended: no login
	tt.loginAt(t, "127.0.8.1", away, "a wrong and long password").want(t, 401, "invalid_credentials")
	enrol := `forbid (principal, action == Action::"enroll_factor", resource);`

	a := tt.simulate(t, jsonBody{"cedar_policy_set": orPasskey + enrol, "history": jsonBody{"days": 1}})
	// keyedUser signed in once, from 127.0.0.1, to set the passkey up.
	want := map[string]float64{"logins": 5, "unchanged": 2, "denied": 2, "asked": 1, "permitted": 0, "uncertain": 0, "skipped": 0}
	for name, n := range want {
		if a.field("history."+name) != n {
			t.Errorf("%s: %v, want %v: %s", name, a.field("history."+name), n, a.body)
		}
	}
	first := a.field("history.users").([]any)[0].(map[string]any)
	if first["user_id"] != awayID || first["change"] != "denied" || first["logins"] != 2.0 || fmt.Sprint(first["notices"]) != "[From the office, or with a passkey.]" {
		t.Errorf("listed first: %v", first)
	}
	half := tt.simulate(t, jsonBody{"cedar_policy_set": `forbid (principal, action, resource) unless { context.ip.isInRange(ip("127.0.9.0/25")) };` + enrol, "history": jsonBody{"days": 1}})
	if half.field("history.uncertain") != 2.0 || half.field("history.denied") != 3.0 {
		t.Errorf("by half a network: %s", half.body)
	}
	// Once it holds, the other way round.
	id := tt.decree(t, orPasskey+enrol)
	tt.loginAt(t, "127.0.8.1", away, goodPassword).want(t, 403, "policy_denied")
	a = tt.simulate(t, jsonBody{"policy_id": id, "cedar_policy_set": `permit (principal == User::"` + fineID + `", action, resource);`, "history": jsonBody{"days": 1}})
	if a.field("history.permitted") != 1.0 || a.field("history.denied") != 0.0 {
		t.Errorf("with other rules in place of those that deny: %s", a.body)
	}
}

// Either of two policies is enough to let their administrator in; taken away at once, one stays.
func TestTwoChangesTogetherDoNotLockOutWhoNeitherWould(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	for range 5 {
		a, b := tt.decree(t, `permit (principal, action, resource);`), "00000000-0000-7000-8000-000000000001"
		all := atOnce(2, func(i int) answer {
			return insist(func() answer {
				return tt.do(t, tt.asUser(admin)("DELETE", "/v1/policies/"+[]string{a, b}[i], nil))
			})
		})
		if got := tally(all); got["204"] != 1 || got["409 would_lock_out"] != 1 {
			t.Fatalf("two at once: %v", got)
		}
		if err := tt.policies.Reset(t.Context(), tt.record(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAChangeOfPoliciesHoldsOnAllReplicasWithinASecond(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	there := tt
	there.testPlatform = startOn(t, tt.install, func(*config) {})
	email, _ := tt.newUser(t)
	for range 3 {
		there.login(t, email, goodPassword).want(t, 200, "")
		a := tt.do(t, asKey(tt.host, tt.key)("POST", "/v1/policies", jsonBody{"name": "Shut", "cedar_policy_set": `forbid (principal, action == Action::"login", resource);`})).want(t, 201, "")
		eventually(t, time.Second, "the other replica denies", func() bool { return there.login(t, email, goodPassword).status == 403 })
		tt.do(t, asKey(tt.host, tt.key)("DELETE", "/v1/policies/"+a.text("id"), nil)).want(t, 204, "")
		eventually(t, time.Second, "and permits again", func() bool { return there.login(t, email, goodPassword).status == 200 })
	}
}
