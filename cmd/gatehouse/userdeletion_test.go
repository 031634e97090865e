package main

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// traces are the tables of the tenant with a row in which a text stands, the log and what is in it by design left out.
func (tt testTenant) traces(t *testing.T, text string) (found []string) {
	t.Helper()
	conn := tt.superuser(t)
	rows, _ := conn.Query(t.Context(), `select tablename::text from pg_tables where schemaname = current_schema() order by 1`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		var n int
		if err := conn.QueryRow(t.Context(), fmt.Sprintf(`select count(*) from %s x where x::text ilike '%%' || $1 || '%%'`, table), text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			found = append(found, table)
		}
	}
	return found
}

// Of somebody who is deleted there is nothing left but an id: in the log, which nobody can change, and with the keys they made
// for the tenant, which are the tenant's.
func TestADeletedUserLeavesAnIDInTheLogAndNothingElse(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	e := tt.enrolledUser(t)
	id := tt.at(t, "GET", "/v1/users?email="+e.email, request{key: tt.key}).want(t, 200, "").data(t)[0]["id"].(string)
	token := e.prove(t, e.challenge(t), "backup_code", e.codes[0].(string)).want(t, 200, "").text("token")
	tt.at(t, "PUT", profilePath, request{bearer: token, body: jsonBody{"first_name": "Xanthippe", "avatar_base64": avatar(t, "png", 2)}}).want(t, 200, "")
	tt.at(t, "PUT", preferencesPath, request{bearer: token, body: jsonBody{"timezone": "Pacific/Pitcairn"}}).want(t, 200, "")
	tt.at(t, "POST", "/v1/users/me/mfa/webauthn/register?method_type=webauthn_fido", request{bearer: token}).want(t, 200, "")
	tt.login(t, e.email, "wrong").want(t, 401, "invalid_credentials")
	e.prove(t, e.challenge(t), "totp", "000000").want(t, 401, "invalid_code")
	tt.at(t, "PUT", "/v1/users/"+id, request{key: tt.key, body: jsonBody{"roles": []string{"admin", "user"}}}).want(t, 200, "")
	tt.at(t, "POST", "/v1/api-keys", request{bearer: token, body: jsonBody{"name": "k", "scopes": []string{"users:read"}},
		header: map[string]string{"Idempotency-Key": "theirs"}}).want(t, 201, "")
	refresh := e.prove(t, e.challenge(t), "backup_code", e.codes[1].(string)).want(t, 200, "").text("refresh_token")
	if found := tt.traces(t, id); len(found) < 6 {
		t.Fatalf("the test leaves traces in %v alone", found)
	}

	tt.at(t, "DELETE", "/v1/users/"+id, request{key: tt.key}).want(t, 204, "")
	tt.nothingWaits(t)
	if found := fmt.Sprint(tt.traces(t, id)); found != "[api_keys audit_log idempotency_keys]" {
		t.Errorf("the id is left in %s", found)
	}
	for _, personal := range []string{e.email, "Xanthippe", "Pitcairn"} {
		if found := tt.traces(t, personal); len(found) > 0 {
			t.Errorf("%s is left in %v", personal, found)
		}
	}
	tt.at(t, "GET", "/v1/users/"+id, request{key: tt.key}).want(t, 404, "not_found")
	tt.at(t, "DELETE", "/v1/users/"+id, request{key: tt.key}).want(t, 404, "not_found")
	tt.at(t, "GET", profilePath, request{bearer: token}).want(t, 401, "unauthenticated")

	// Whoever has the address next is somebody else.
	body := jsonBody{"email": e.email, "name": "Next", "password": goodPassword, "email_verified": true}
	if next := tt.at(t, "POST", "/v1/users", request{key: tt.key, body: body}).want(t, 201, ""); next.text("id") == id {
		t.Error("an id is used again")
	}
	tt.at(t, "GET", profilePath, request{bearer: token}).want(t, 401, "unauthenticated")
	tt.at(t, "POST", "/v1/auth/refresh", request{body: jsonBody{"refresh_token": refresh}}).want(t, 401, "invalid_token")
	next := tt.login(t, e.email, goodPassword).want(t, 200, "").text("token")
	if a := tt.at(t, "GET", profilePath, request{bearer: next}).want(t, 200, ""); a.field("first_name") != nil || a.field("avatar_base64") != nil {
		t.Errorf("the next one inherits: %s", a.body)
	}
}

// A key is the tenant's: what runs with it does not stop when somebody leaves, and the list tells whose keys to revoke then.
func TestAKeyOutlivesItsMaker(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, id := tt.signIn(t, "admin")
	made := tt.at(t, "POST", "/v1/api-keys", request{bearer: admin, body: jsonBody{"name": "export", "scopes": []string{"users:read"}}}).want(t, 201, "")
	if made.text("created_by") != id {
		t.Errorf("made: %s", made.body)
	}
	works := func() { t.Helper(); tt.at(t, "GET", "/v1/users", request{key: made.text("raw_key")}).want(t, 200, "") }
	tt.at(t, "POST", "/v1/users/"+id+"/suspend", request{key: tt.key, body: jsonBody{"active": false}}).want(t, 200, "")
	works()
	tt.at(t, "DELETE", "/v1/users/"+id, request{key: tt.key}).want(t, 204, "")
	works()
	for _, k := range tt.at(t, "GET", "/v1/api-keys", request{key: tt.key}).data(t) {
		if by := k["created_by"]; (k["id"] == made.text("id")) != (by == id) {
			t.Errorf("the list says that %v made %v", by, k["name"])
		}
	}
}
