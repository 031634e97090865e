package identity

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func TestRolesAndScopesAreSetsOfWhatExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out []Role
		ok      bool
	}{
		{[]Role{"user", "admin", "user"}, []Role{"admin", "user"}, true},
		{[]Role{}, []Role{}, true},
		{nil, []Role{}, true},
		{[]Role{"Admin"}, nil, false},
		{[]Role{"admin", ""}, nil, false},
		{[]Role{"owner"}, nil, false},
	} {
		got, err := parseRoles(c.in)
		if (err == nil) != c.ok || !slices.Equal(got, c.out) || (c.ok && got == nil) {
			t.Errorf("roles %q: %q, %v", c.in, got, err)
		}
	}
	for _, c := range []struct {
		in     []Scope
		master bool
		ok     bool
	}{
		{[]Scope{"users:read", "users:read"}, false, true},
		{TenantScopes, false, true},
		{PlatformScopes, false, false},
		{PlatformScopes, true, true},
		{[]Scope{"users:read", "tenants:read"}, false, false},
		{[]Scope{"users:*"}, true, false},
		{[]Scope{}, true, false},
		{nil, true, false},
	} {
		got, err := parseScopes(c.in, c.master)
		if (err == nil) != c.ok || c.ok && (!contains(c.in, got) || !contains(got, c.in) || !slices.IsSorted(got)) {
			t.Errorf("scopes %q, master %v: %q, %v", c.in, c.master, got, err)
		}
	}
	if s := scopesOf(true); len(s) != len(TenantScopes)+len(PlatformScopes) || len(scopesOf(false)) != len(TenantScopes) {
		t.Errorf("scopes of the platform tenant: %q", s)
	}
	in := []Scope{"users:write", "audit:read"}
	if set(in); in[0] != "users:write" {
		t.Error("set changed what it was given")
	}
}

func TestNobodyTouchesARightAboveTheirOwn(t *testing.T) {
	t.Parallel()
	acme, platform := tenancy.Tenant{}, tenancy.Tenant{Master: true}
	key := func(t tenancy.Tenant, scopes ...Scope) Caller { return Caller{Tenant: t, Key: &APIKey{Scopes: scopes}} }
	user := func(roles ...Role) Caller {
		return Caller{Tenant: acme, User: &User{Roles: roles}, Session: &Session{}}
	}
	for _, c := range []struct {
		name  string
		by    Caller
		roles []Role
		ok    bool
	}{
		{"an administrator and administrators", user(RoleAdmin), []Role{RoleAdmin}, true},
		{"a weak key and a user", key(acme, "users:write"), []Role{RoleUser}, true},
		{"a weak key and nobody", key(acme, "users:write"), nil, true},
		{"a weak key and an administrator", key(acme, "users:write"), []Role{RoleUser, RoleAdmin}, false},
		{"a strong key and an administrator", key(acme, TenantScopes...), []Role{RoleAdmin}, true},
		{"a key one scope short", key(acme, TenantScopes[1:]...), []Role{RoleAdmin}, false},
		{"a tenant's scopes in the platform tenant", key(platform, TenantScopes...), []Role{RoleAdmin}, false},
		{"all scopes in the platform tenant", key(platform, scopesOf(true)...), []Role{RoleAdmin}, true},
		{"an operator", Operator(platform), []Role{RoleAdmin}, true},
	} {
		if got := c.by.mayTouch(c.roles); got != c.ok {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for scope, by := range map[Scope]Caller{"users:read": key(acme, "users:write"), "users:write": user(RoleUser), "keys:write": user()} {
		if err := by.may(t.Context(), byDefault, "GET /", scope); !problem.Is(err, "forbidden") {
			t.Errorf("%s is given without being held: %v", scope, err)
		}
	}
	if user(RoleUser, RoleAdmin).may(t.Context(), byDefault, "GET /", "users:write") != nil || key(acme, "a", "b").may(t.Context(), byDefault, "GET /", "b") != nil {
		t.Error("a right held is refused")
	}
}

// byDefault asks the rules of tenants that have not decided otherwise.
var byDefault = &Judge{Policies: defaultRules{}, Now: time.Now}

type defaultRules struct{}

func (defaultRules) Of(context.Context, tenancy.Tenant) (*policy.Set, error) {
	rules, err := policy.ParseRules(policy.DefaultRules)
	var named []policy.Named
	for _, r := range rules {
		named = append(named, policy.Named{Rule: r})
	}
	return policy.Compile(named), err
}

func TestTheOwnersStandingIsOutOfReach(t *testing.T) {
	t.Parallel()
	admin := Caller{User: &User{Roles: []Role{RoleAdmin}}}
	yes, no, name := true, false, "N"
	for _, c := range []struct {
		name   string
		change UserChange
		code   string
	}{
		{"suspend", UserChange{Active: &no}, "owner_protected"},
		{"demote", UserChange{Roles: []Role{RoleUser}}, "owner_protected"},
		{"take all roles", UserChange{Roles: []Role{}}, "owner_protected"},
		{"rename", UserChange{Name: &name}, ""},
		{"reactivate", UserChange{Active: &yes}, ""},
		{"add a role", UserChange{Roles: []Role{RoleAdmin, RoleUser}}, ""},
	} {
		for _, owner := range []bool{true, false} {
			err := admin.mayChange(User{Owner: owner, Roles: []Role{RoleAdmin}}, c.change)
			if want := owner && c.code != ""; want != problem.Is(err, "owner_protected") || !want && err != nil {
				t.Errorf("%s, owner %v: %v", c.name, owner, err)
			}
		}
	}
}

func TestALoginIsFreshForTenMinutes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for age, ok := range map[time.Duration]bool{0: true, 10 * time.Minute: true, 10*time.Minute + 1: false, 24 * time.Hour: false} {
		err := Caller{User: &User{}, Session: &Session{AuthTime: now.Add(-age)}}.Fresh(now)
		if (err == nil) != ok || !ok && !problem.Is(err, "reauthentication_required") {
			t.Errorf("after %s: %v", age, err)
		}
	}
	if err := (Caller{Key: &APIKey{}}).Fresh(now); err != nil {
		t.Errorf("a key: %v", err)
	}
}

func TestAUserAgentIsKeptPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"curl/8": "curl/8", "a\x00b\nc\x7f": "abc", "\xff\xfe": "", "é": "é", "a\u202eb": "ab", "": ""} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestWhoHasAFactorIsFreshOnlyWithIt(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		factors, amr []string
		ok           bool
	}{
		{nil, []string{"pwd"}, true},
		{[]string{"totp"}, []string{"pwd"}, false},
		{[]string{"totp"}, []string{"pwd", "otp", "mfa"}, true},
	} {
		err := Caller{User: &User{Factors: c.factors}, Session: &Session{AuthTime: now, AMR: c.amr}}.Fresh(now)
		if (err == nil) != c.ok {
			t.Errorf("factors %v, amr %v: %v", c.factors, c.amr, err)
		}
	}
}
