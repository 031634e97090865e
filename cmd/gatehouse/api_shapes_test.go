package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	userMembers   = "id,email,name,roles,auth_provider,active,email_verified,is_owner,created_at,updated_at,avatar_base64"
	keyMembers    = "id,name,prefix,scopes,created_at,expires_at,last_used_at,created_by"
	domainMembers = "id,domain,uses,verified,verified_at,verification_token,dns_record,dns_value,primary,created_at,state,checked_at,failing_since"
	tenantMembers = "id,name,slug,locale,owner_email,owner_user_id,is_master,state,region,schema_version,primary_domain,created_at,updated_at"
)

func wantRows(tb testing.TB, a answer, names string) []map[string]any {
	tb.Helper()
	a.want(tb, 200, "").wantMembers(tb, "", "data,next_cursor,has_more")
	rows := a.data(tb)
	for _, row := range rows {
		answer{body: mustJSON(tb, row)}.wantMembers(tb, "", names)
	}
	return rows
}

func TestUsersAreAdministered(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	key := request{key: tt.key}

	made := tt.at(t, "POST", "/v1/users", request{bearer: admin, body: map[string]any{"email": "Ada@People.Example", "name": "  Ada  "}}).want(t, 201, "").wantMembers(t, "", userMembers)
	if made.text("email") != "ada@people.example" || made.text("name") != "Ada" || fmt.Sprint(made.field("roles")) != "[user]" || made.field("active") != true ||
		made.field("email_verified") != false || made.field("is_owner") != false || made.text("auth_provider") != "local" || made.field("avatar_base64") != nil {
		t.Errorf("created: %s", made.body)
	}
	path := "/v1/users/" + made.text("id")
	if shown := tt.at(t, "GET", path, key).want(t, 200, ""); string(shown.body) != string(made.body) {
		t.Errorf("shown %s, created %s", shown.body, made.body)
	}
	key.body = map[string]any{"name": "Ada L.", "roles": []string{"user", "admin", "user"}, "active": true}
	changed := tt.at(t, "PUT", path, key).want(t, 200, "").wantMembers(t, "", userMembers)
	if changed.text("name") != "Ada L." || fmt.Sprint(changed.field("roles")) != "[admin user]" || changed.text("updated_at") <= made.text("updated_at") || changed.text("created_at") != made.text("created_at") {
		t.Errorf("changed: %s", changed.body)
	}
	key.body = map[string]any{"active": false}
	if a := tt.at(t, "POST", path+"/suspend", key).want(t, 200, "").wantMembers(t, "", userMembers); a.field("active") != false {
		t.Errorf("suspended: %s", a.body)
	}
	key.body = nil
	if a := tt.at(t, "DELETE", path, key).want(t, 204, ""); len(a.body) != 0 {
		t.Errorf("a 204 with a body: %s", a.body)
	}
	tt.at(t, "DELETE", path, key).want(t, 404, "not_found")
	tt.at(t, "GET", path, key).want(t, 404, "not_found")
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": "ada@people.example", "name": "Another Ada"}}).want(t, 201, "")
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": "ADA@people.example", "name": "A third"}}).want(t, 409, "email_taken")
}

func TestABadUserNamesAllItsBadFields(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	_, id := tt.newUser(t)
	long := strings.Repeat("x", 101)
	for _, c := range []struct{ method, path, body, fields string }{
		{"POST", "/v1/users", `{}`, "email,name"},
		{"POST", "/v1/users", `{"email":"x","name":"","roles":["root"],"password":"","email_verified":"yes","x":1}`, "email,email_verified,name,password,roles,x"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"` + long + `"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"a\nb"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"Eve\r\n"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"\tEve"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"a\u0085b"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"moc.elpmaxe\u202e"}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"   "}`, "name"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"A","roles":["Admin"]}`, "roles"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"A","roles":"admin"}`, "roles"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"A","is_owner":true,"id":"x","active":false,"auth_provider":"oidc"}`, "active,auth_provider,id,is_owner"},
		{"POST", "/v1/users", `{"email":"a@b.example","name":"A","tenant_id":"x"}`, "tenant_id"},
		{"PUT", "/v1/users/" + id, `{"name":null,"roles":null,"active":null}`, "active,name,roles"},
		{"PUT", "/v1/users/" + id, `{"name":"","roles":["x"],"active":1}`, "active,name,roles"},
		{"PUT", "/v1/users/" + id, `{"name":"Eve\n"}`, "name"},
		{"PUT", "/v1/users/" + id, `{"email":"other@b.example","email_verified":true,"password":"x","is_owner":true}`, "email,email_verified,is_owner,password"},
		{"POST", "/v1/users/" + id + "/suspend", `{}`, "active"},
		{"POST", "/v1/users/" + id + "/suspend", `{"active":"false"}`, "active"},
		{"POST", "/v1/users/" + id + "/suspend", `{"active":false,"reason":"x"}`, "reason"},
		{"POST", "/v1/api-keys", `{}`, "name,scopes"},
		{"POST", "/v1/api-keys", `{"name":"k","scopes":[]}`, "scopes"},
		{"POST", "/v1/api-keys", `{"name":"k","scopes":null}`, "scopes"},
		{"POST", "/v1/api-keys", `{"name":"k\n","scopes":["users:read"]}`, "name"},
		{"POST", "/v1/api-keys", `{"name":"","scopes":["x"],"expires_at":"tomorrow"}`, "expires_at,name,scopes"},
		{"POST", "/v1/api-keys", `{"name":"k","scopes":["users:read"],"expires_at":"2020-01-01T00:00:00Z"}`, "expires_at"},
		{"POST", "/v1/api-keys", `{"name":"k","scopes":["users:read"],"expires_at":1}`, "expires_at"},
		{"POST", "/v1/api-keys", `{"name":"","scopes":[],"expires_at":"2020-01-01T00:00:00Z"}`, "expires_at,name,scopes"},
		{"POST", "/v1/api-keys", `{"name":"k","scopes":["users:read"],"raw_key":"mine","id":"x"}`, "id,raw_key"},
		{"POST", "/v1/domains", `{}`, "domain"},
		{"POST", "/v1/domains", `{"domain":"nodots","uses":["web"]}`, "domain,uses"},
		{"POST", "/v1/domains", `{"domain":"127.0.0.1"}`, "domain"},
		{"POST", "/v1/domains", `{"domain":"a b.example"}`, "domain"},
		{"POST", "/v1/domains", `{"domain":"*.people.example"}`, "domain"},
		{"POST", "/v1/domains", `{"domain":"people.example:80","uses":[]}`, "domain,uses"},
		{"POST", "/v1/domains", `{"domain":"people.example","verified":true}`, "verified"},
		{"POST", "/v1/domains", `{"domain":"localhost"}`, "domain"},
		{"POST", "/v1/domains", `{"domain":"co.uk","uses":["web"]}`, "domain,uses"},
	} {
		a := tt.at(t, c.method, c.path, request{key: tt.key, body: c.body})
		if a.status != 400 {
			t.Errorf("%s %s: %d %s", c.method, c.body, a.status, a.body)
			continue
		}
		a.wantFields(t, c.fields)
	}
	weak := tt.at(t, "POST", "/v1/users", request{key: tt.key, body: `{"email":"weak@b.example","name":"W","password":"fourteen chars"}`})
	weak.want(t, 400, "weak_password").wantMembers(t, "details.fields", "password")
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: `{"email":"weak@b.example","name":"W","password":"fifteen chars !"}`}).want(t, 201, "")
	for _, verified := range []string{"true", "false"} {
		tt.at(t, "POST", "/v1/users", request{bearer: admin, body: `{"email":"mine@b.example","name":"W","email_verified":` + verified + `}`}).wantFields(t, "email_verified")
	}
	for _, name := range []string{strings.Repeat("é", 100), "张伟", "O'Brien <b>&amp;", "𝒜𝒷"} {
		a := tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": uniqueName() + "@b.example", "name": name}}).want(t, 201, "")
		if a.text("name") != name {
			t.Errorf("%q came back as %q", name, a.text("name"))
		}
	}
	if n := tt.count(t, `select count(*) from users where email like '%@b.example'`); n != 5 {
		t.Errorf("%d users, want the 5 that were accepted: a refusal wrote something", n)
	}
}

func TestKeysAreAdministered(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	made := tt.at(t, "POST", "/v1/api-keys", request{key: tt.key, body: map[string]any{"name": "ci", "scopes": []string{"users:read", "audit:read", "users:read"}, "expires_at": expires}}).
		want(t, 201, "").wantMembers(t, "", keyMembers+",raw_key")
	raw := made.text("raw_key")
	if fmt.Sprint(made.field("scopes")) != "[audit:read users:read]" || made.text("expires_at") != expires || made.field("last_used_at") != nil || !strings.HasPrefix(raw, made.text("prefix")) {
		t.Errorf("created: %s", made.body)
	}
	secret := strings.SplitN(raw, "_", 3)[2] // in which there may be another underscore
	if len(secret) < 22 {
		t.Errorf("the secret part of a key has %d characters, want 128 random bits at least", len(secret))
	}
	tt.at(t, "GET", "/v1/users", request{key: raw}).want(t, 200, "")
	list := tt.at(t, "GET", "/v1/api-keys", request{key: tt.key})
	rows := wantRows(t, list, keyMembers)
	if len(rows) != 2 || rows[1]["id"] != made.text("id") || rows[1]["last_used_at"] == nil {
		t.Errorf("list: %s", list.body)
	}
	if strings.Contains(string(list.body), raw) {
		t.Error("a list shows a key")
	}
	if n := tt.count(t, `select count(*) from api_keys k where k::text like '%' || $1 || '%'`, raw); n != 0 {
		t.Error("a key is stored in the clear")
	}
	if a := tt.at(t, "DELETE", "/v1/api-keys/"+made.text("id"), request{key: raw}); a.status != 403 {
		t.Errorf("a key without keys:write revokes itself: %d", a.status)
	}
	tt.at(t, "DELETE", "/v1/api-keys/"+made.text("id"), request{key: tt.key}).want(t, 204, "")
	tt.at(t, "DELETE", "/v1/api-keys/"+made.text("id"), request{key: tt.key}).want(t, 404, "not_found")
}

func TestDomainsAreAdministered(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	name := uniqueName() + ".localhost"
	body := map[string]any{"domain": strings.ToUpper(name), "uses": []string{"host", "email", "host"}}
	made := acme.at(t, "POST", "/v1/domains", request{key: acme.key, body: body}).want(t, 201, "").wantMembers(t, "", domainMembers)
	if made.text("domain") != name || fmt.Sprint(made.field("uses")) != "[email host]" || made.field("verified") != false || made.field("verified_at") != nil || made.field("primary") != false || !strings.Contains(made.text("dns_value"), made.text("verification_token")) {
		t.Errorf("claimed: %s", made.body)
	}
	acme.at(t, "POST", "/v1/domains", request{key: acme.key, body: body}).want(t, 409, "domain_taken")
	rival := globex.at(t, "POST", "/v1/domains", request{key: globex.key, body: body}).want(t, 201, "") // a claim is no proof
	tp.do(t, request{method: "GET", host: name, path: "/v1/auth/providers"}).want(t, 404, "not_found")
	ok := acme.at(t, "POST", "/v1/domains/"+made.text("id")+"/verify", request{key: acme.key}).want(t, 200, "").wantMembers(t, "", "verified,message")
	if ok.field("verified") != true {
		t.Fatalf("verify: %s", ok.body)
	}
	eventually(t, time.Second, "the domain is served", func() bool {
		return tp.do(t, request{method: "GET", host: name, path: "/v1/auth/providers"}).status == 200
	})
	globex.at(t, "POST", "/v1/domains/"+rival.text("id")+"/verify", request{key: globex.key}).want(t, 409, "domain_taken")
	rows := wantRows(t, acme.at(t, "GET", "/v1/domains", request{key: acme.key}), domainMembers)
	if len(rows) != 2 || rows[1]["domain"] != name || rows[1]["verified"] != true || rows[0]["primary"] != true {
		t.Errorf("domains: %v", rows)
	}
	acme.at(t, "DELETE", "/v1/domains/"+made.text("id"), request{key: acme.key}).want(t, 204, "")
	eventually(t, time.Second, "the domain is served no more", func() bool {
		return tp.do(t, request{method: "GET", host: name, path: "/v1/auth/providers"}).status == 404
	})
	acme.at(t, "POST", "/v1/domains/"+made.text("id")+"/verify", request{key: acme.key}).want(t, 404, "not_found")
}

func TestProvidersTellOneTenantAndNoMore(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	for _, c := range []struct {
		name, host, query string
		status            int
		code              string
	}{
		{"own host", acme.host, "", 200, ""},
		{"own host and slug", acme.host, "?slug=" + acme.slug, 200, ""},
		{"own host and domain", acme.host, "?domain=" + acme.host, 200, ""},
		{"shared host, slug", "", "?slug=" + acme.slug, 200, ""},
		{"shared host, domain", "", "?domain=" + acme.host, 200, ""},
		{"shared host, domain in upper case", "", "?domain=" + strings.ToUpper(acme.host), 200, ""},
		{"shared host, both", "", "?domain=" + acme.host + "&slug=" + acme.slug, 200, ""},
		{"shared host, both disagree", "", "?domain=" + acme.host + "&slug=" + globex.slug, 403, "tenant_mismatch"},
		{"shared host, nothing", "", "", 400, "tenant_required"},
		{"shared host, unknown slug", "", "?slug=nobody-has-this", 404, "not_found"},
		{"shared host, unknown domain", "", "?domain=nobody.example", 404, "not_found"},
		{"shared host, empty slug", "", "?slug=", 404, "not_found"},
		{"shared host, no domain", "", "?domain=x", 400, "invalid_request"},
		{"another's slug on own host", acme.host, "?slug=" + globex.slug, 403, "tenant_mismatch"},
		{"another's domain on own host", acme.host, "?domain=" + globex.host, 403, "tenant_mismatch"},
		{"nobody's slug on own host", acme.host, "?slug=nobody-has-this", 403, "tenant_mismatch"},
		{"nobody's domain on own host", acme.host, "?domain=nobody.example", 403, "tenant_mismatch"},
	} {
		a := tp.do(t, request{method: "GET", host: c.host, path: "/v1/auth/providers" + c.query})
		if a.status != c.status || a.text("code") != c.code {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
			continue
		}
		if c.status == 200 {
			a.wantMembers(t, "", "tenant_id,methods")
			if a.text("tenant_id") != acme.id || fmt.Sprint(a.field("methods")) != "[local passkey]" {
				t.Errorf("%s: %s", c.name, a.body)
			}
		}
	}
}

func TestProfileIsExactlyTheContracts(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	token, id := tt.signIn(t)
	a := tt.at(t, "GET", "/v1/users/me/profile", request{bearer: token}).want(t, 200, "")
	a.wantMembers(t, "", "id,email,name,auth_provider,first_name,last_name,display_name,avatar_base64")
	if a.text("id") != id || a.text("auth_provider") != "local" || a.field("avatar_base64") != nil {
		t.Errorf("profile: %s", a.body)
	}
}

func TestTenantsAreAdministered(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	slug := uniqueName()
	post := func(body any) answer {
		return tp.do(t, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: body})
	}
	made := post(map[string]any{"name": "Acme", "slug": slug, "locale": "fr-ca", "owner_email": "o@people.example"}).want(t, 201, "").wantMembers(t, "", tenantMembers+",admin_api_key")
	if made.text("locale") != "fr-CA" || made.text("state") != "active" || made.field("is_master") != false || made.text("primary_domain") != slug+".localhost" || made.text("region") != "test" {
		t.Errorf("created: %s", made.body)
	}
	path := "/v1/tenants/" + made.text("id")
	ask := func(method, path string, body any) answer {
		return tp.do(t, request{method: method, path: path, key: tp.platformKey, body: body})
	}
	ask("GET", path, nil).want(t, 200, "").wantMembers(t, "", tenantMembers)
	if a := ask("PUT", path, map[string]any{"name": "Acme Corp", "slug": slug, "locale": "de"}).want(t, 200, "").wantMembers(t, "", tenantMembers); a.text("name") != "Acme Corp" || a.text("locale") != "de" {
		t.Errorf("changed: %s", a.body)
	}
	post(map[string]any{"name": "Again", "slug": slug}).want(t, 409, "slug_taken")
	for _, c := range []struct{ body, fields string }{
		{`{}`, "name,slug"},
		{`{"name":"","slug":"A","locale":"!","owner_email":"x","owner_name":""}`, "locale,name,owner_email,owner_name,slug"},
		{`{"name":"X","slug":"admin"}`, "slug"},
		{`{"name":"X","slug":"platform"}`, "slug"},
		{`{"name":"X","slug":"xn--abc"}`, "slug"},
		{`{"name":"X","slug":"abc-"}`, "slug"},
		{`{"name":"X","slug":"1abc"}`, "slug"},
		{`{"name":"X","slug":"` + strings.Repeat("a", 41) + `"}`, "slug"},
		{`{"name":"X\n","slug":"fine-slug"}`, "name"},
		{`{"name":"X","slug":"fine-slug","is_master":true,"state":"active"}`, "is_master,state"},
		{`{"name":"X","slug":"fine-slug","database":"elsewhere"}`, "database"},
		{`{"name":"X","slug":"fine-slug","region":"moon"}`, "region"},
		{`{"name":"X","slug":"fine-slug","owner_name":"O"}`, "owner_email"},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			post(c.body).wantFields(t, c.fields)
		})
	}
	ask("PUT", path, `{"slug":"another-slug","name":null,"state":"suspended"}`).want(t, 400, "invalid_request")
	ask("GET", "/v1/tenants/"+nobodysID, nil).want(t, 404, "not_found")
	ask("PUT", "/v1/tenants/x", `{}`).want(t, 404, "not_found")
	ask("POST", path+"/suspend", `{}`).wantFields(t, "active")
	platform := tp.platformTenant(t)
	if a := ask("POST", "/v1/tenants/"+platform.id+"/suspend", `{"active":false}`); a.status != 409 {
		t.Errorf("the platform can suspend itself: %d %s", a.status, a.body)
	}
	wantRows(t, ask("GET", "/v1/tenants?limit=3", nil), tenantMembers)
}

func TestListsArePagedToTheirEnd(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	var want []string
	add := func(name string) string {
		return tt.at(t, "POST", "/v1/users", request{key: tt.key, body: map[string]any{"email": uniqueName() + "@people.example", "name": name}}).want(t, 201, "").text("id")
	}
	for i := range 7 {
		want = append(want, add(fmt.Sprintf("user %d %%_\\", i)))
	}
	get := func(query string) answer { return tt.at(t, "GET", "/v1/users"+query, request{key: tt.key}) }
	var got []string
	query := "?limit=2"
	for page := 0; ; page++ {
		a := get(query).want(t, 200, "")
		for _, row := range a.data(t) {
			got = append(got, row["id"].(string))
		}
		next, more := a.field("next_cursor"), a.field("has_more")
		if (next != nil) != (more == true) {
			t.Fatalf("next_cursor and has_more disagree: %s", a.body)
		}
		if next == nil {
			break
		}
		if page == 1 { // rows that come and go between pages move none of the others
			want = append(want, add("late"))
			tt.at(t, "DELETE", "/v1/users/"+want[0], request{key: tt.key}).want(t, 204, "")
		}
		query = "?limit=2&cursor=" + url.QueryEscape(next.(string))
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	full := get("?limit=7").want(t, 200, "")
	if full.field("has_more") != false || full.field("next_cursor") != nil || len(full.data(t)) != 7 {
		t.Errorf("a page that ends where the list does: %s", full.body)
	}

	cursor := url.QueryEscape(get("?limit=1").text("next_cursor"))
	get("?limit=3&cursor="+cursor).want(t, 200, "") // another limit is no other list
	tp.do(t, request{method: "GET", path: "/t/" + tt.slug + "/v1/users?cursor=" + cursor, key: tt.key}).want(t, 200, "")
	other.newUser(t)
	for name, a := range map[string]answer{
		"another tenant":  other.at(t, "GET", "/v1/users?cursor="+cursor, request{key: other.key}),
		"another path":    tt.at(t, "GET", "/v1/api-keys?cursor="+cursor, request{key: tt.key}),
		"another filter":  get("?q=user&cursor=" + cursor),
		"a new filter":    get("?email=a@people.example&cursor=" + cursor),
		"garbage":         get("?cursor=x"),
		"empty":           get("?cursor="),
		"twice":           get("?cursor=" + cursor + "&cursor=" + cursor),
		"an id":           get("?cursor=" + want[1]),
		"one letter more": get("?cursor=" + cursor + "A"),
	} {
		t.Run("cursor: "+name, func(t *testing.T) {
			t.Parallel()
			a.wantFields(t, "cursor")
		})
	}
	for _, limit := range []string{"0", "-1", "251", "1000000000000000000000", "x", "", "1.5", "+1", "01", "1e1", "%00", "1&limit=2"} {
		t.Run("limit: "+limit, func(t *testing.T) {
			t.Parallel()
			tt.at(t, "GET", "/v1/users?limit="+limit, request{key: tt.key}).wantFields(t, "limit")
		})
	}
	get("?limit=x&cursor=y").wantFields(t, "limit,cursor")
	get("?limit=250").want(t, 200, "")
	for _, bad := range []string{"?q=%zz", "?limit=1;limit=2"} {
		get(bad).want(t, 400, "invalid_request")
	}

	for q, n := range map[string]int{"late": 1, "LATE": 1, "%25": 6, "_": 6, `\`: 6, "user%201%20%25": 1, "nobody": 0, "@PEOPLE.example": 7, "'%3B--": 0} {
		if a := get("?q="+q).want(t, 200, ""); len(a.data(t)) != n || a.field("data") == nil {
			t.Errorf("q=%s finds %d, want %d", q, len(a.data(t)), n)
		}
	}
	get("?q=%00").wantFields(t, "q")
	get("?q=%ff").wantFields(t, "q")
	get("?email=x").wantFields(t, "email")
	one := tt.at(t, "GET", "/v1/users/"+want[1], request{key: tt.key}).text("email")
	if a := get("?email="+url.QueryEscape(strings.ToUpper(one))).want(t, 200, ""); len(a.data(t)) != 1 {
		t.Errorf("email filter: %s", a.body)
	}
}

// The same key and body within a day is one creation and one answer, for ten callers at once as for one who repeats.
func TestACreationIsRepeatable(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	type creation struct {
		path        string
		body        func(n string) map[string]any
		rq, foreign request
	}
	for name, c := range map[string]creation{
		"users": {path: "/v1/users", body: func(n string) map[string]any {
			return map[string]any{"email": n + "@people.example", "name": "N", "password": goodPassword}
		}, rq: request{host: tt.host, key: tt.key}, foreign: request{host: other.host, key: other.key}},
		"api-keys": {path: "/v1/api-keys", body: func(n string) map[string]any {
			return map[string]any{"name": n, "scopes": []string{"users:read"}}
		}, rq: request{host: tt.host, key: tt.key}, foreign: request{host: other.host, key: other.key}},
		"domains": {path: "/v1/domains", body: func(n string) map[string]any { return map[string]any{"domain": n + ".example"} },
			rq: request{host: tt.host, key: tt.key}, foreign: request{host: other.host, key: other.key}},
		"tenants": {path: "/v1/tenants", body: func(n string) map[string]any {
			return map[string]any{"name": "N", "slug": n, "owner_email": "o@people.example"}
		}, rq: request{key: tp.platformKey}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, repeat := uniqueName(), map[string]string{"Idempotency-Key": uniqueName()}
			post := func(rq request, body any, header map[string]string) answer {
				rq.method, rq.path, rq.body, rq.header = "POST", c.path, body, header
				return tp.do(t, rq)
			}
			answers := make([]answer, 10)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					// Ten passwords at once may be more than a busy machine hashes; told so, a client tries again.
					eventually(t, 20*time.Second, "a creation is let in", func() bool {
						answers[i] = post(c.rq, c.body(n), repeat)
						return !answers[i].overloaded()
					})
				})
			}
			wg.Wait()
			for i, a := range answers {
				if a.status != 201 || string(a.body) != string(answers[0].body) {
					t.Fatalf("call %d: %d %s, the first: %s", i, a.status, a.body, answers[0].body)
				}
			}
			if again := post(c.rq, c.body(n), repeat); alike(again, answers[0]) != "" {
				t.Errorf("later: %s", alike(again, answers[0]))
			}
			if name == "api-keys" {
				tt.at(t, "GET", "/v1/users", request{key: answers[7].text("raw_key")}).want(t, 200, "")
				if k := tt.count(t, `select count(*) from api_keys where name = $1`, n); k != 1 {
					t.Errorf("%d keys were made", k)
				}
			}
			if name == "tenants" {
				tp.do(t, request{method: "GET", host: n + ".localhost", path: "/v1/users", key: answers[3].text("admin_api_key")}).want(t, 200, "")
			}
			body := c.body(uniqueName())
			post(c.rq, body, repeat).want(t, 409, "idempotency_conflict")
			post(c.rq, body, map[string]string{"Idempotency-Key": uniqueName()}).want(t, 201, "")
			if c.foreign.key != "" {
				if a := post(c.foreign, c.body(n), repeat).want(t, 201, ""); a.text("id") == answers[0].text("id") {
					t.Error("another tenant is given this tenant's answer")
				}
			}
			for _, key := range []string{"", strings.Repeat("x", 256), "a\tb", "é"} {
				post(c.rq, c.body(uniqueName()), map[string]string{"Idempotency-Key": key}).wantFields(t, "Idempotency-Key")
			}
			post(c.rq, `{}`, map[string]string{"Idempotency-Key": uniqueName()}).want(t, 400, "invalid_request")
		})
	}
	// A refusal is not kept: mended, the same key goes through.
	repeat := map[string]string{"Idempotency-Key": "mended"}
	taken, _ := tt.newUser(t)
	body := map[string]any{"email": taken, "name": "N"}
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body, header: repeat}).want(t, 409, "email_taken")
	tt.exec(t, `delete from users where email = $1`, taken)
	tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body, header: repeat}).want(t, 201, "")
}
