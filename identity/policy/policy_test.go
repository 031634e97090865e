package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

var tenant = id.NewTenant()

// monday is a Monday at nine.
var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// login is Ann of acme, who signs in with her password from the office on Monday at nine.
func login() Question {
	return Question{
		Tenant: tenant, Slug: "acme", Action: Login,
		Subject: Subject{ID: id.NewUser(), Email: "ann@acme.example", EmailVerified: true, Roles: []string{"user"}, Created: monday.AddDate(-1, 0, 0)},
		Context: Context{IP: netip.MustParseAddr("203.0.113.7"), Now: monday, Method: "pwd", AMR: []string{"pwd"}, UserAgent: "Mozilla/5.0 Firefox/140.0"},
	}
}

func compiled(t testing.TB, texts ...string) *Set {
	t.Helper()
	var all []Named
	for _, text := range texts {
		rules, err := ParseRules(text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		for _, r := range rules {
			all = append(all, Named{id.NewPolicy(), id.NewRule(), r, false})
		}
	}
	return Compile(all)
}

func TestRulesDecide(t *testing.T) {
	type change func(*Question)
	as := func(roles ...string) change { return func(q *Question) { q.Subject.Roles = roles } }
	from := func(ip string) change { return func(q *Question) { q.Context.IP = netip.MustParseAddr(ip) } }
	to := func(a Action) change { return func(q *Question) { q.Action = a } }
	for _, c := range []struct {
		sentence string
		rules    string
		asked    change
		want     bool
	}{
		{"by default everybody may sign in", DefaultRules, nil, true},
		{"by default a user may not administer", DefaultRules, to(CallAPI), false},
		{"by default an administrator may", DefaultRules, func(q *Question) { as("admin")(q); to(CallAPI)(q) }, true},
		{"without rules nobody may do anything", ``, nil, false},
		{"forbid wins over permit", DefaultRules + `forbid (principal, action == Action::"login", resource);`, nil, false},
		{"a forbid of another action has no say", DefaultRules + `forbid (principal, action == Action::"refresh", resource);`, nil, true},
		{"the office is where its network is", DefaultRules + `forbid (principal, action, resource) unless { context.ip.isInRange(ip("203.0.113.0/24")) };`, nil, true},
		{"elsewhere is not the office", DefaultRules + `forbid (principal, action, resource) unless { context.ip.isInRange(ip("203.0.113.0/24")) };`, from("198.51.100.1"), false},
		{"an address of the office written as IPv6 is the office", DefaultRules + `forbid (principal, action, resource) unless { context.ip.isInRange(ip("203.0.113.0/24")) };`, from("::ffff:203.0.113.9"), true},
		{"an unknown address denies where a rule asks for it", DefaultRules + `forbid (principal, action, resource) when { context.ip.isLoopback() };`, func(q *Question) { q.Context.IP = netip.Addr{} }, false},
		{"a rule that fails denies", DefaultRules + `forbid (principal, action == Action::"login", resource) when { context.failures_last_day * 9223372036854775807 > 5 };`,
			func(q *Question) { q.Context.Standing.FailuresLastDay = 2 }, false},
		{"Monday at nine is Monday", `permit (principal, action, resource) when { context.weekday == "monday" && context.hour == 9 };`, nil, true},
		{"the hour is that of UTC", `permit (principal, action, resource) when { context.hour == 8 };`,
			func(q *Question) { q.Context.Now = monday.In(time.FixedZone("", 3600)).Add(-time.Hour) }, true},
		{"a role is an entity", `permit (principal in Role::"auditor", action, resource);`, as("user", "auditor"), true},
		{"a user can be meant by their address", `permit (principal, action, resource) when { principal.email == "ann@acme.example" };`, nil, true},
		{"and by its domain", `permit (principal, action, resource) when { principal.email_domain == "acme.example" };`, nil, true},
		{"the browser has a family", `permit (principal, action, resource) when { context.agent == "firefox" };`, nil, true},
		{"two factors are aal2", `permit (principal, action, resource) when { context.acr == "aal2" && context.amr.contains("otp") };`,
			func(q *Question) { *q = q.With("otp", "mfa") }, true},
		{"a tenant is known by its slug", `permit (principal, action, resource is Tenant) when { resource.slug == "acme" };`, nil, true},
		{"an operation has a name", `permit (principal, action == Action::"call_api", resource) when { context.operation like "GET *" };`,
			func(q *Question) { q.Action, q.Context.Operation = CallAPI, "GET /v1/users" }, true},
		{"a factor that is set up has a kind", `permit (principal, action == Action::"enroll_factor", resource) when { context.factor != "totp" };`,
			func(q *Question) { q.Action, q.Context.Factor = EnrollFactor, "totp" }, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			q := login()
			if c.asked != nil {
				c.asked(&q)
			}
			set := Compile(nil)
			if c.rules != "" {
				set = compiled(t, c.rules)
			}
			if v := set.Decide(q); v.Permitted != c.want {
				t.Errorf("permitted: %v, want %v: %+v", v.Permitted, c.want, v)
			}
		})
	}
}

func TestAFailedRuleIsNamed(t *testing.T) {
	set := compiled(t, DefaultRules, `forbid (principal, action, resource) when { context.failures_last_day * 9223372036854775807 > 5 };`)
	q := login()
	q.Context.Standing.FailuresLastDay = 3
	v := set.Decide(q)
	if len(v.Failed) != 1 || !strings.Contains(v.Failed[0].Reason, "overflow") || len(v.Determining) != 0 {
		t.Errorf("got %+v", v)
	}
}

func TestNoticesAreThoseOfTheRulesThatDecided(t *testing.T) {
	set := compiled(t, `@notice("Welcome.") permit (principal, action, resource);`,
		`@notice("Only from the office.") @notice_de("Nur vom Büro aus.") @notice_pt_br("Só do escritório.") forbid (principal, action, resource) when { context.ip.isLoopback() };`,
		`@notice("Not with this browser.") forbid (principal, action, resource) when { context.agent == "other" };`)
	q := login()
	if got := set.Decide(q).Notices(); !slices.Equal(got, []string{"Welcome."}) {
		t.Errorf("a permit says %q", got)
	}
	q.Context.IP = netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		locales []string
		want    string
	}{{nil, "Only from the office."}, {[]string{"de"}, "Nur vom Büro aus."}, {[]string{"de-AT"}, "Nur vom Büro aus."}, {[]string{"pt-BR"}, "Só do escritório."},
		{[]string{"pt"}, "Only from the office."}, {[]string{"", "de"}, "Nur vom Büro aus."}, {[]string{"it"}, "Only from the office."}} {
		if got := set.Decide(q).Notices(c.locales...); !slices.Equal(got, []string{c.want}) {
			t.Errorf("for %q: %q, want %q alone", c.locales, got, c.want)
		}
	}
	q.Context.UserAgent = "curl/8"
	if got := set.Decide(q).Notices(); !slices.Equal(got, []string{"Only from the office.", "Not with this browser."}) {
		t.Errorf("two forbids say %q", got)
	}
}

func TestWatchedRulesDecideNothing(t *testing.T) {
	rules, err := ParseRules(DefaultRules + `forbid (principal, action == Action::"login", resource) when { context.agent == "firefox" };`)
	if err != nil {
		t.Fatal(err)
	}
	all := []Named{}
	for _, r := range rules {
		all = append(all, Named{Rule: r, ID: id.NewRule()})
	}
	all[2].Shadow = true
	set := Compile(all)
	if v := set.Decide(login()); !v.Permitted || len(v.WouldDeny) != 1 || v.WouldDeny[0].ID != all[2].ID {
		t.Errorf("got %+v", v)
	}
	q := login()
	q.Action = Refresh
	if v := set.Decide(q); !v.Permitted || v.WouldDeny != nil {
		t.Errorf("of another action: %+v", v)
	}
}

func TestWhatIsNoRuleIsSaidWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		reason       string
	}{
		{"", 1, 1, "must hold"},
		{"permit (principal, action, resource)", 1, 37, ""},
		{"permit (principal, action, resource);\nforbid (principal, action, resource) when { context.nosuch };", 2, 53, "attribute `nosuch` in context not found"},
		{"permit (principal, action, resource)\nwhen { context.hour == };", 2, 25, "primary"},
		{"permit (principal, action == Action::\"fly\", resource);", 1, 1, "fly"},
		{"permit (principal == Robot::\"x\", action, resource);", 1, 22, "Robot"},
		{"permit (principal, action, resource) when { context.hour == \"nine\" };", 1, 1, ""},
		{"permit (principal, action in [Action::\"login\", Action::\"enroll_factor\"], resource)\n  when { context.factor == \"totp\" };", 2, 18, "not found (of login)"},
		{"@notice(\"\") permit (principal, action, resource);", 1, 1, "notice"},
		{"permit (principal, action, resource) when { " + strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100) + " };", 1, 104, "brackets"},
		{"permit (principal, action, resource) when { principal.email == \"" + strings.Repeat("x", MaxRuleText) + "\" };", 1, 1, "longer"},
		{"permit (principal, action, resource); // \x00", 1, 1, "control"},
		{"permit (principal, action, resource) when { ip(\"nowhere\").isLoopback() };", 1, 1, ""},
	} {
		_, err := ParseRules(c.text)
		bad, ok := errors.AsType[Faults](err)
		if !ok || bad[0].Line != c.line || bad[0].Column != c.column || !strings.Contains(bad[0].Reason, c.reason) {
			t.Errorf("%.80q: %v, want line %d column %d with %q", c.text, err, c.line, c.column, c.reason)
		}
	}
}

func TestStatementsKeepTheirCommentsAndStrings(t *testing.T) {
	text := "// one; two\npermit (principal, action, resource) when { principal.email == \"a;\\\";//b\" }; // tail\nforbid (principal, action, resource);\n// end"
	rules, err := ParseRules(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 2 || !strings.HasPrefix(rules[0].Text(), "// one; two\npermit") || !strings.HasPrefix(rules[1].Text(), "// tail\nforbid") {
		t.Errorf("%q", []string{rules[0].Text(), rules[1].Text()})
	}
}

func TestPartsAndTextSayTheSame(t *testing.T) {
	for _, text := range []string{
		`permit (principal, action, resource);`,
		`@notice("Say \"friend\".") forbid (principal == User::"0190", action == Action::"login", resource) when { context.hour < 8 || context.hour >= 18 };`,
		`permit (principal in Role::"admin", action in [Action::"login", Action::"refresh"], resource is Tenant) unless { context.agent == "other" };`,
		`permit (principal is User, action, resource == Tenant::"1");`,
		`permit (principal is User in Group::"staff", action in Action::"login", resource is Application in Tenant::"1") when { true } unless { context.amr.containsAny(["hwk", "swk"]) };`,
		`@notice("a") @notice_fr("b") @owner("ops") forbid (principal, action, resource) when { principal.email like "*@acme.example" };`,
	} {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		stable(t, r)
	}
}

// stable holds a rule against what its parts make, and that against itself.
func stable(t testing.TB, r Rule) {
	t.Helper()
	parts := r.Parts()
	again, err := parts.Over(r)
	if err != nil {
		t.Fatalf("%s\n%+v: %v", r.Text(), parts, err)
	}
	if got := again.Parts(); !equalParts(got, parts) {
		t.Fatalf("%s: parts %+v became %+v", r.Text(), parts, got)
	}
	twice, err := again.Parts().Over(again)
	if err != nil || twice.Text() != again.Text() {
		t.Fatalf("rendered once:\n%s\nand twice (%v):\n%s", again.Text(), err, twice.Text())
	}
}

func equalParts(a, b Parts) bool {
	same := slices.Equal(a.Actions, b.Actions)
	if a.ActionType == In && b.ActionType == In && len(a.Actions) == 1 { // Cedar has two ways to write it
		same = slices.Equal(a.Actions, b.Actions)
	}
	return same && a.ActionType == b.ActionType && a.Permit == b.Permit && a.Principal == b.Principal && a.Resource == b.Resource && a.Conditions == b.Conditions && a.Notice == b.Notice
}

func TestConditionsCannotEndTheStatement(t *testing.T) {
	for _, text := range []string{
		`when { true }; permit (principal, action, resource)`,
		`true }; permit (principal, action, resource) when { true`,
		`true }; //`,
		`when { true }; @notice("x") forbid (principal, action, resource)`,
	} {
		if r, err := (Parts{Permit: true, Conditions: text}).Rule(); err == nil {
			t.Errorf("%q made %s", text, r.Text())
		}
	}
	for _, s := range []Scope{{Eq, "User", "x\"), action, resource); permit (principal == User::\"y"}, {In, "Role", "\\"}, {Is, "User; permit", ""}} {
		r, err := (Parts{Permit: true, Principal: s}).Rule()
		if err == nil && r.Parts().Principal != s {
			t.Errorf("%+v made %s", s, r.Text())
		}
	}
}

// Whatever is proved besides, what a step-up is offered for is decided again with all that was proved: asking with more can
// open nothing that asking with just that would not.
func TestAskingWithMoreIsAskingWithThat(t *testing.T) {
	set := compiled(t, DefaultRules, `forbid (principal, action, resource) unless { context.amr.contains("mfa") };`, `forbid (principal, action, resource) when { context.amr.contains("otp") };`)
	if set.Decide(login()).Permitted || set.Decide(login().With("otp", "mfa")).Permitted || !set.Decide(login().With("hwk", "mfa")).Permitted {
		t.Error("the verdicts are not those of the methods that were proved")
	}
	q := login()
	_ = q.With("otp", "mfa")
	if len(q.Context.AMR) != 1 {
		t.Error("asking with more changed the question")
	}
}

func FuzzRuleText(f *testing.F) {
	f.Add(DefaultRules)
	f.Add(`@notice("x") forbid (principal is User in Role::"a", action in [Action::"login"], resource) when { context.ip.isInRange(ip("10.0.0.0/8")) && {"a": 1}["a"] == 1 };`)
	f.Add(`permit (principal, action, resource) when { if context.hour > 3 then principal has email else [1,2].contains(-1) };`)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ParseRules(text)
		if err != nil {
			if bad, ok := errors.AsType[Faults](err); !ok || len(bad) == 0 || bad[0].Reason == "" || bad[0].Line < 1 {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		set := Compile([]Named{})
		for _, r := range rules {
			stable(t, r)
			set = Compile(append(set.rules, Named{Rule: r}))
		}
		for _, a := range Actions {
			q := login()
			q.Action = a
			set.Decide(q)
		}
	})
}

func FuzzRuleParts(f *testing.F) {
	f.Add("eq", "User", "1", "in", "login", "any", "", "", "context.hour > 3", "No.")
	f.Add("is_in", "Role", "admin", "any", "", "is", "Tenant", "", `when { true } unless { false }`, "")
	f.Fuzz(func(t *testing.T, pt, pe, pi, at, act, rt, re, ri, conditions, notice string) {
		p := Parts{Principal: Scope{ScopeType(pt), pe, pi}, ActionType: ScopeType(at), Resource: Scope{ScopeType(rt), re, ri}, Conditions: conditions, Notice: notice}
		if act != "" {
			p.Actions = []Action{Action(act)}
		}
		if r, err := p.Rule(); err == nil {
			stable(t, r)
		}
	})
}

func TestWhatIsForegoneIsWhatEvaluatingSays(t *testing.T) {
	for _, rules := range []string{DefaultRules, DefaultRules + `@notice("Hi.") permit (principal, action == Action::"login", resource);`,
		DefaultRules + `forbid (principal, action == Action::"refresh", resource);`, `permit (principal, action, resource is Tenant);`, `permit (principal, action, resource) when { false };`} {
		set := compiled(t, rules)
		for _, a := range Actions {
			q := login()
			q.Action = a
			got, want := set.Decide(q), set.decideOf(q, q.cast())
			if got.Permitted != want.Permitted || !slices.Equal(ids(got.Determining), ids(want.Determining)) {
				t.Errorf("%s of %s: %+v, want %+v", a, rules, got, want)
			}
		}
	}
}

func ids(rules []Named) (all []id.Rule) {
	for _, r := range rules {
		all = append(all, r.ID)
	}
	return all
}
