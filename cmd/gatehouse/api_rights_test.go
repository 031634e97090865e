package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/identity"
)

// operation is one of the service's, with the scope that a key needs for it.
type operation struct {
	method, path, scope string
	body                any
	platform            bool
}

// operations are all that take a credential. %s is an id that nobody has.
var operations = []operation{
	{method: "GET", path: "/v1/users", scope: "users:read"},
	{method: "POST", path: "/v1/users", scope: "users:write", body: `{}`},
	{method: "GET", path: "/v1/users/%s", scope: "users:read"},
	{method: "PUT", path: "/v1/users/%s", scope: "users:write", body: `{}`},
	{method: "DELETE", path: "/v1/users/%s", scope: "users:write"},
	{method: "POST", path: "/v1/users/%s/suspend", scope: "users:write", body: `{"active":false}`},
	{method: "GET", path: "/v1/api-keys", scope: "keys:write"},
	{method: "POST", path: "/v1/api-keys", scope: "keys:write", body: `{}`},
	{method: "DELETE", path: "/v1/api-keys/%s", scope: "keys:write"},
	{method: "GET", path: "/v1/domains", scope: "domains:write"},
	{method: "POST", path: "/v1/domains", scope: "domains:write", body: `{}`},
	{method: "DELETE", path: "/v1/domains/%s", scope: "domains:write"},
	{method: "POST", path: "/v1/domains/%s/verify", scope: "domains:write"},
	{method: "POST", path: "/v1/domains/%s/primary", scope: "domains:write"},
	{method: "GET", path: "/v1/tenants", scope: "tenants:read", platform: true},
	{method: "POST", path: "/v1/tenants", scope: "tenants:write", body: `{}`, platform: true},
	{method: "GET", path: "/v1/tenants/%s", scope: "tenants:read", platform: true},
	{method: "PUT", path: "/v1/tenants/%s", scope: "tenants:write", body: `{}`, platform: true},
	{method: "POST", path: "/v1/tenants/%s/suspend", scope: "tenants:write", body: `{"active":true}`, platform: true},
}

const nobodysID = "0190a0a0-0000-7000-8000-000000000000"

func (o operation) named() string { return o.method + " " + o.path }

func (o operation) call(tb testing.TB, tt testTenant, rq request) answer {
	tb.Helper()
	rq.body = o.body
	path := o.path
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, nobodysID)
	}
	return tt.at(tb, o.method, path, rq)
}

// admitted reports whether the answer is one that only somebody with the right gets: the request itself is faulty, or its
// object does not exist.
func (a answer) admitted() bool { return a.status == 200 || a.status == 400 || a.status == 404 }

// Every scope against every operation: what is not given is refused, and nothing else is.
func TestAScopeOpensItsOperationsAndNoOther(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	for name, tt := range map[string]testTenant{"tenant": tp.newTenant(t), "platform tenant": tp.platformTenant(t)} {
		platform := tt.slug == "platform"
		scopes := slices.Clone(identity.TenantScopes)
		if platform {
			scopes = append(scopes, identity.PlatformScopes...)
		}
		for _, scope := range scopes {
			t.Run(name+"/"+string(scope), func(t *testing.T) {
				t.Parallel()
				key, _ := tt.newKey(t, string(scope))
				for _, o := range operations {
					a := o.call(t, tt, request{key: key})
					if o.scope == string(scope) && (platform || !o.platform) {
						if !a.admitted() {
							t.Errorf("%s: %d %s", o.named(), a.status, a.body)
						}
						continue
					}
					if a.status != 403 || a.text("code") != "forbidden" {
						t.Errorf("%s: %d %s, want 403 forbidden", o.named(), a.status, a.body)
					}
				}
			})
		}
	}
}

func TestRolesOpenWhatTheyShould(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	user, _ := tt.signIn(t)
	admin, _ := tt.signIn(t, "admin")
	platformAdmin, _ := tp.platformTenant(t).signIn(t, "admin")
	nobody, _ := tt.signIn(t, []string{}...)
	for _, o := range operations {
		if a := o.call(t, tt, request{bearer: user}); a.status != 403 || a.text("code") != "forbidden" {
			t.Errorf("user: %s: %d %s", o.named(), a.status, a.body)
		}
		if a := o.call(t, tt, request{bearer: nobody}); a.status != 403 {
			t.Errorf("without a role: %s: %d %s", o.named(), a.status, a.body)
		}
		if a := o.call(t, tt, request{bearer: admin}); a.admitted() == o.platform {
			t.Errorf("admin: %s: %d %s", o.named(), a.status, a.body)
		}
		if a := o.call(t, tp.platformTenant(t), request{bearer: platformAdmin}); !a.admitted() {
			t.Errorf("platform admin: %s: %d %s", o.named(), a.status, a.body)
		}
		if a := o.call(t, tt, request{}); a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("no credential: %s: %d %s", o.named(), a.status, a.body)
		}
		for name, rq := range map[string]request{"admin": {bearer: platformAdmin}, "key": {key: tp.platformKey}} {
			if a := o.call(t, tt, rq); a.status != 403 || a.text("code") != "tenant_mismatch" {
				t.Errorf("%s of the platform at a tenant's host: %s: %d %s", name, o.named(), a.status, a.body)
			}
		}
	}
	// Without a host of its own, the platform's operations are on the shared host, and a tenant's key opens none.
	for _, o := range operations {
		if !o.platform {
			continue
		}
		path := strings.ReplaceAll(o.path, "%s", nobodysID)
		tp.do(t, request{method: o.method, path: path, key: tt.key, body: o.body}).want(t, 403, "forbidden")
		tp.do(t, request{method: o.method, path: "/t/" + tt.slug + path, key: tp.platformKey, body: o.body}).want(t, 403, "tenant_mismatch")
	}
}

// R36: who may do a little must not be able to make somebody who may do all.
func TestNobodyReachesAboveTheirOwnRights(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	for name, tt := range map[string]testTenant{"tenant": tp.newTenant(t), "platform tenant": tp.platformTenant(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := []string{}
			for _, s := range identity.TenantScopes {
				all = append(all, string(s))
			}
			weak := map[string][]string{"users:write alone": {"users:write", "users:read"}, "all but one": all[1:]}
			if tt.slug == "platform" {
				// An administrator here governs all tenants, so all scopes of a tenant are not enough.
				weak["all of a tenant"] = all
				weak["all but tenants:write"] = append([]string{"tenants:read"}, all...)
			}
			_, adminID := tt.newUser(t, "admin")
			_, userID := tt.newUser(t)
			for name, scopes := range weak {
				key, _ := tt.newKey(t, scopes...)
				person := func(roles ...string) map[string]any {
					return map[string]any{"email": uniqueName() + "@people.example", "name": "X", "roles": roles, "password": goodPassword, "email_verified": true}
				}
				for what, c := range map[string]struct {
					method, path string
					body         any
				}{
					"create an administrator":  {"POST", "/v1/users", person("admin")},
					"create one among others":  {"POST", "/v1/users", person("user", "admin")},
					"promote":                  {"PUT", "/v1/users/" + userID, map[string]any{"roles": []string{"admin"}}},
					"demote":                   {"PUT", "/v1/users/" + adminID, map[string]any{"roles": []string{"user"}}},
					"rename an administrator":  {"PUT", "/v1/users/" + adminID, map[string]any{"name": "Y"}},
					"suspend an administrator": {"POST", "/v1/users/" + adminID + "/suspend", map[string]any{"active": false}},
					"delete an administrator":  {"DELETE", "/v1/users/" + adminID, nil},
				} {
					if a := tt.at(t, c.method, c.path, request{key: key, body: c.body}); a.status != 403 || a.text("code") != "forbidden" {
						t.Errorf("%s can %s: %d %s", name, what, a.status, a.body)
					}
				}
				if slices.Contains(scopes, "users:write") {
					tt.at(t, "POST", "/v1/users", request{key: key, body: person("user")}).want(t, 201, "")
					tt.at(t, "PUT", "/v1/users/"+userID, request{key: key, body: map[string]any{"name": "Z"}}).want(t, 200, "")
				}
			}
			if a := tt.at(t, "GET", "/v1/users/"+adminID, request{key: tt.key}).want(t, 200, ""); a.text("name") != "Somebody" || a.field("active") != true {
				t.Errorf("a refused change was made: %s", a.body)
			}
			if a := tt.at(t, "GET", "/v1/users/"+userID, request{key: tt.key}).want(t, 200, ""); fmt.Sprint(a.field("roles")) != "[user]" {
				t.Errorf("a refused promotion was made: %s", a.body)
			}

			maker, _ := tt.newKey(t, "keys:write", "users:read")
			key := func(scopes ...string) request {
				return request{key: maker, body: map[string]any{"name": "k", "scopes": scopes}}
			}
			tt.at(t, "POST", "/v1/api-keys", key("users:read")).want(t, 201, "")
			tt.at(t, "POST", "/v1/api-keys", key("users:write")).want(t, 403, "forbidden")
			tt.at(t, "POST", "/v1/api-keys", key("users:read", "audit:read")).want(t, 403, "forbidden")
			_, strong := tt.newKey(t, "users:read", "users:write")
			tt.at(t, "DELETE", "/v1/api-keys/"+strong, request{key: maker}).want(t, 403, "forbidden")
			_, equal := tt.newKey(t, "users:read")
			tt.at(t, "DELETE", "/v1/api-keys/"+equal, request{key: maker}).want(t, 204, "")
		})
	}
}

func TestPlatformScopesExistInThePlatformTenantAlone(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := tp.newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	for _, scope := range []string{"tenants:read", "tenants:write", "users:delete", "USERS:READ", "users:read ", "*", ""} {
		for _, rq := range []request{{key: tt.key}, {bearer: admin}} {
			rq.body = map[string]any{"name": "k", "scopes": []string{"users:read", scope}}
			tt.at(t, "POST", "/v1/api-keys", rq).wantFields(t, "scopes")
		}
	}
	tp.platformTenant(t).newKey(t, "tenants:read", "tenants:write")
}

// An idempotency key repeats an answer for whoever asked, and is no way to another's answer or past the check of rights.
func TestARepeatedCallHasNoMoreRightsThanItsCaller(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	body := map[string]any{"name": "strong", "scopes": []string{"users:read", "users:write"}}
	header := map[string]string{"Idempotency-Key": uniqueName()}
	made := tt.at(t, "POST", "/v1/api-keys", request{key: tt.key, body: body, header: header}).want(t, 201, "")
	weak, _ := tt.newKey(t, "keys:write")
	tt.at(t, "POST", "/v1/api-keys", request{key: weak, body: body, header: header}).want(t, 403, "forbidden")
	peer, _ := tt.newKey(t, "keys:write", "users:read", "users:write")
	if a := tt.at(t, "POST", "/v1/api-keys", request{key: peer, body: body, header: header}); a.text("raw_key") == made.text("raw_key") {
		t.Error("another caller is shown the secret of the first")
	}
	// A platform key that may make tenants is not shown the key to one that another made.
	tenant := request{method: "POST", path: "/v1/tenants", key: tt.platformKey, header: header, body: map[string]any{"name": "N", "slug": uniqueName()}}
	tt.do(t, tenant).want(t, 201, "")
	tenant.key, _ = tt.platformTenant(t).newKey(t, "tenants:write")
	tt.do(t, tenant).want(t, 409, "slug_taken")
	administrator := map[string]any{"email": "root@people.example", "name": "R", "roles": []string{"admin"}}
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: administrator, header: header}).want(t, 201, "")
	writer, _ := tt.newKey(t, "users:write")
	tt.at(t, "POST", "/v1/users", request{key: writer, body: administrator, header: header}).want(t, 403, "forbidden")

	admin, adminID := tt.signIn(t, "admin")
	mine := tt.at(t, "POST", "/v1/api-keys", request{bearer: admin, body: body, header: header}).want(t, 201, "")
	if again := tt.at(t, "POST", "/v1/api-keys", request{bearer: admin, body: body, header: header}).want(t, 201, ""); string(again.body) != string(mine.body) {
		t.Errorf("the same caller is answered differently: %s and %s", mine.body, again.body)
	}
	tt.at(t, "PUT", "/v1/users/"+adminID, request{key: tt.key, body: map[string]any{"roles": []string{"user"}}}).want(t, 200, "")
	tt.at(t, "POST", "/v1/api-keys", request{bearer: admin, body: body, header: header}).want(t, 401, "unauthenticated")
}

// What was taken away is gone at the next request, whatever the token in hand says.
func TestRightsTakenAwayAreGoneAtOnce(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	users := func(rq request) answer { return tt.at(t, http.MethodGet, "/v1/users?limit=1", rq) }
	put := func(id string, body map[string]any) {
		t.Helper()
		tt.at(t, "PUT", "/v1/users/"+id, request{key: tt.key, body: body}).want(t, 200, "")
	}
	t.Run("demoted", func(t *testing.T) {
		t.Parallel()
		admin, id := tt.signIn(t, "admin")
		users(request{bearer: admin}).want(t, 200, "")
		put(id, map[string]any{"roles": []string{"user"}})
		users(request{bearer: admin}).want(t, 401, "unauthenticated")
		put(id, map[string]any{"roles": []string{"admin"}})
		users(request{bearer: admin}).want(t, 401, "unauthenticated")
	})
	t.Run("demoted behind the service's back", func(t *testing.T) { // the roles are read, not believed
		admin, id := tt.signIn(t, "admin")
		tt.exec(t, `update users set roles = '{user}' where id = $1`, id)
		users(request{bearer: admin}).want(t, 403, "forbidden")
	})
	t.Run("promoted", func(t *testing.T) {
		t.Parallel()
		token, id := tt.signIn(t)
		users(request{bearer: token}).want(t, 403, "forbidden")
		put(id, map[string]any{"roles": []string{"admin", "user"}})
		users(request{bearer: token}).want(t, 200, "")
	})
	for name, suspend := range map[string]func(id string, active bool){
		"suspended": func(id string, active bool) {
			tt.at(t, "POST", "/v1/users/"+id+"/suspend", request{key: tt.key, body: map[string]any{"active": active}}).want(t, 200, "")
		},
		"made inactive": func(id string, active bool) { put(id, map[string]any{"active": active}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin, id := tt.signIn(t, "admin")
			suspend(id, false)
			users(request{bearer: admin}).want(t, 401, "unauthenticated")
			suspend(id, true)
			users(request{bearer: admin}).want(t, 401, "unauthenticated")
			tt.at(t, "GET", "/v1/users/me/profile", request{bearer: admin}).want(t, 401, "unauthenticated")
		})
	}
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		admin, id := tt.signIn(t, "admin")
		tt.at(t, "DELETE", "/v1/users/"+id, request{key: tt.key}).want(t, 204, "")
		users(request{bearer: admin}).want(t, 401, "unauthenticated")
	})
	t.Run("renamed", func(t *testing.T) { // and what is no loss of rights signs nobody out
		admin, id := tt.signIn(t, "admin")
		put(id, map[string]any{"name": "New Name"})
		users(request{bearer: admin}).want(t, 200, "")
	})
	t.Run("a revoked key", func(t *testing.T) {
		t.Parallel()
		key, id := tt.newKey(t, "users:read")
		users(request{key: key}).want(t, 200, "")
		tt.at(t, "DELETE", "/v1/api-keys/"+id, request{key: tt.key}).want(t, 204, "")
		users(request{key: key}).want(t, 401, "unauthenticated")
	})
	t.Run("an expired key", func(t *testing.T) {
		t.Parallel()
		key, id := tt.newKey(t, "users:read")
		users(request{key: key}).want(t, 200, "")
		tt.exec(t, `update api_keys set expires_at = now() - interval '1 millisecond' where id = $1`, id)
		users(request{key: key}).want(t, 401, "unauthenticated")
	})
	t.Run("an expired session", func(t *testing.T) {
		t.Parallel()
		admin, id := tt.signIn(t, "admin")
		tt.exec(t, `update sessions set expires_at = now() - interval '1 millisecond' where user_id = $1`, id)
		users(request{bearer: admin}).want(t, 401, "unauthenticated")
	})
	t.Run("a key changed by one letter", func(t *testing.T) {
		t.Parallel()
		key, _ := tt.newKey(t, "users:read")
		last := "A"
		if strings.HasSuffix(key, last) {
			last = "B"
		}
		for _, forged := range []string{key[:len(key)-1] + last, key[:len(key)-1], key + "A", strings.ToUpper(key), "ghr" + key[3:]} {
			users(request{key: forged}).want(t, 401, "unauthenticated")
		}
	})
}

func TestTheOwnerIsProtected(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	slug := uniqueName()
	made := tp.do(t, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: map[string]any{
		"name": "Owned", "slug": slug, "owner_email": "Owner@People.Example", "owner_name": "Olga Owner"}}).want(t, 201, "")
	tt := testTenant{tp, made.text("id"), slug, slug + ".localhost", made.text("admin_api_key")}
	owner := made.text("owner_user_id")
	if made.text("owner_email") != "owner@people.example" || owner == "" {
		t.Fatalf("owner: %s", made.body)
	}
	admin, _ := tt.signIn(t, "admin")
	for name, rq := range map[string]request{"an administrator": {bearer: admin}, "the tenant's key": {key: tt.key}} {
		for what, c := range map[string]struct {
			method, path string
			body         any
		}{
			"suspend":       {"POST", "/v1/users/" + owner + "/suspend", map[string]any{"active": false}},
			"make inactive": {"PUT", "/v1/users/" + owner, map[string]any{"active": false}},
			"demote":        {"PUT", "/v1/users/" + owner, map[string]any{"roles": []string{"user"}}},
			"take roles":    {"PUT", "/v1/users/" + owner, map[string]any{"roles": []string{}}},
			"delete":        {"DELETE", "/v1/users/" + owner, nil},
		} {
			rq.body = c.body
			if a := tt.at(t, c.method, c.path, rq); a.status != 409 || a.text("code") != "owner_protected" {
				t.Errorf("%s can %s the owner: %d %s", name, what, a.status, a.body)
			}
		}
	}
	a := tt.at(t, "GET", "/v1/users/"+owner, request{key: tt.key}).want(t, 200, "")
	if a.field("is_owner") != true || a.field("active") != true || fmt.Sprint(a.field("roles")) != "[admin]" || a.text("name") != "Olga Owner" || a.field("email_verified") != false {
		t.Errorf("owner: %s", a.body)
	}
}

func TestCreatingAKeyNeedsAFreshLogin(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, adminID := tt.signIn(t, "admin")
	create := func() answer {
		return tt.at(t, "POST", "/v1/api-keys", request{bearer: admin, body: map[string]any{"name": "k", "scopes": []string{"users:read"}}})
	}
	create().want(t, 201, "")
	age := func(d time.Duration) {
		tt.exec(t, `update sessions set auth_time = now() - make_interval(secs => $2) where user_id = $1`, adminID, d.Seconds())
	}
	age(9 * time.Minute)
	create().want(t, 201, "")
	age(10*time.Minute + 2*time.Second)
	create().want(t, 403, "reauthentication_required")
	tt.at(t, "GET", "/v1/api-keys", request{bearer: admin}).want(t, 200, "")
	if n := tt.count(t, `select count(*) from api_keys where created_by = $1`, adminID); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
}

// Whether an id is another tenant's or nobody's must not be told.
func TestForeignAndUnknownIdsAreAlike(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	admin, _ := acme.signIn(t, "admin")
	_, foreignUser := globex.newUser(t)
	_, foreignKey := globex.newKey(t, "users:read")
	foreignDomain := globex.at(t, "POST", "/v1/domains", request{key: globex.key, body: map[string]any{"domain": uniqueName() + ".example"}}).want(t, 201, "").text("id")
	for _, o := range operations {
		if !strings.Contains(o.path, "%s") || o.platform {
			continue
		}
		foreign := map[bool]string{strings.Contains(o.path, "users"): foreignUser, strings.Contains(o.path, "keys"): foreignKey, strings.Contains(o.path, "domains"): foreignDomain}[true]
		ask := func(id string, rq request) answer {
			rq.body = o.body
			return acme.at(t, o.method, fmt.Sprintf(o.path, id), rq).want(t, 404, "not_found")
		}
		for _, rq := range []request{{bearer: admin}, {key: acme.key}} {
			unknown := ask(nobodysID, rq)
			for name, id := range map[string]string{"a foreign id": foreign, "no id": "x", "an id in upper case": strings.ToUpper(foreign), "an id of another kind": acme.id} {
				if diff := alike(unknown, ask(id, rq)); diff != "" {
					t.Errorf("%s: %s is told from an unknown one: %s", o.named(), name, diff)
				}
			}
		}
	}
	// And nothing happened to them.
	globex.at(t, "GET", "/v1/users/"+foreignUser, request{key: globex.key}).want(t, 200, "")
	if n := globex.count(t, `select count(*) from api_keys where id = $1`, foreignKey); n != 1 {
		t.Error("a foreign key was revoked")
	}
}
