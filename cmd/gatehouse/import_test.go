package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// importLines sends lines and reads the results.
func (tt testTenant) importLines(tb testing.TB, rq request) []importResult {
	tb.Helper()
	rq.method, rq.path = "POST", "/v1/users/import"
	if rq.host == "" {
		rq.host = tt.host
	}
	if rq.key == "" && rq.bearer == "" {
		rq.key = tt.key
	}
	rq.header = map[string]string{"Content-Type": "application/x-ndjson"}
	a := tt.do(tb, rq)
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
		tb.Fatalf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return readResults(tb, bytes.NewReader(a.body))
}

type importResult struct {
	Line                             int
	Status, Email, ID, Code, Message string
}

func readResults(tb testing.TB, from io.Reader) (all []importResult) {
	tb.Helper()
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var r importResult
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			tb.Fatalf("%v in %s", err, lines.Bytes())
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func (tt testTenant) hashOf(tb testing.TB, email string) (hash string) {
	tb.Helper()
	err := tt.superuser(tb).QueryRow(tb.Context(), `select coalesce(password_hash, '') from users where email = $1`, email).Scan(&hash)
	if err != nil {
		tb.Fatal(err)
	}
	return hash
}

const firebaseHash = "$firebase-scrypt$ln=14,r=8,ss=Bw,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA$42xEC+ixf3L2lw$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ"

// People who come from another system sign in with the password they have; from then on their hash is one of ours.
func TestImportedPeopleSignInAndGetAHashOfOurs(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	made, err := bcrypt.GenerateFromPassword([]byte("p\u00e4sswort"), 4)
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{ // by password
		"user1password":     firebaseHash,
		"p\u00e4sswort":     string(made),
		"password":          "$scrypt$ln=8,r=2,p=1$dO6d0xoDoLT2PofQGoNQag$g/Wf2A0vhHhaJM+addK61QPBthSmYB6uVTtQzh8CM3o",
		"testing123":        "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
		"toomanysecrets":    "{SSHA256}RrTKrg6HFXcjJ+eDAq4UtbODxOr9RLeG+I69FoJvutcbY0zpfU+p1Q==",
		"letm\u00e8\u00efn": "{SSHA512}mpNUSmZc3TNx+RnPwkIAVMf7ocEKLPrIoQNsg4Eu8dHvyCeb2xzHp5A6n4tF7ntknSvfvRZaJII4ImvNJlYsgiwAm0FMqR+3",
	}
	var lines strings.Builder
	emails := map[string]string{}
	for pw, hash := range hashes {
		emails[pw] = fmt.Sprintf("n%d@people.example", len(emails))
		fmt.Fprintf(&lines, `{"email":%q,"name":"Somebody","email_verified":true,"password_hash":%q}`+"\n", emails[pw], hash)
	}
	for _, r := range tt.importLines(t, request{body: lines.String()}) {
		if r.Status != "created" || r.ID == "" {
			t.Fatalf("%+v", r)
		}
	}
	for pw, email := range emails {
		sealed := tt.hashOf(t, email)
		if !strings.HasPrefix(sealed, "$sealed$") || strings.Contains(sealed, hashes[pw][10:]) {
			t.Errorf("%s: stored is %s", pw, sealed)
		}
		tt.login(t, email, pw+"x").want(t, 401, "invalid_credentials")
		if tt.hashOf(t, email) != sealed {
			t.Errorf("%s: a wrong password has changed the hash", pw)
		}
		tt.login(t, email, pw).want(t, 200, "")
		if got := tt.hashOf(t, email); !strings.HasPrefix(got, "$argon2id$") || !strings.Contains(got, ",keyid=") {
			t.Errorf("%s: after the first login stored is %s", pw, got)
		}
		tt.login(t, email, pw).want(t, 200, "")
		tt.login(t, email, pw+"x").want(t, 401, "invalid_credentials")
	}
}

// A sealed hash is of its user: copied to another it opens nothing.
func TestAnImportedHashIsBoundToItsUser(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.importLines(t, request{body: `{"email":"a@people.example","name":"A","email_verified":true,"password_hash":"{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr"}
{"email":"b@people.example","name":"B","email_verified":true}`})
	tt.exec(t, `update users set password_hash = (select password_hash from users where email = 'a@people.example') where email = $1`, "b@people.example")
	if a := tt.login(t, "b@people.example", "testing123"); a.status == 200 {
		t.Errorf("signed in by the hash of another: %s", a.body)
	}
	tt.login(t, "a@people.example", "testing123").want(t, 200, "")
}

// Each line has exactly one result; one that is wrong takes no other with it.
func TestABadLineFailsAlone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	good := func(n int) string { return fmt.Sprintf(`{"email":"g%d@people.example","name":"Good"}`, n) }
	lines := []struct{ line, status, says string }{
		{good(1), "created", ""},
		{"", "error", "empty"},
		{"not json", "error", ""},
		{`["email"]`, "error", ""},
		{good(1), "exists", ""},
		{`{"email":"G1@People.Example","name":"Good again"}`, "exists", ""},
		{`{"email":"g2@people.example","email":"g3@people.example","name":"Two"}`, "error", "twice"},
		{`{"email":"g2@people.example","Name":"x","name":"Case"}`, "error", "Name"},
		{`{"email":"g2@people.example","name":"More","roles":["admin"]}`, "error", "roles"},
		{`{"email":"g2@people.example","name":"More"} {}`, "error", ""},
		{"{\"email\":\"g2@people.example\",\"name\":\"\xff\"}", "error", "UTF-8"},
		{`{"email":"g2@people.example","name":"\u0000"}`, "error", "NUL"},
		{`{"email":"nobody","name":""}`, "error", "email"},
		{`{"email":7,"name":true,"password_hash":"{SSHA}"}`, "error", "password_hash"},
		{`{"email":"g2@people.example","name":"x","password_hash":"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}`, "error", "cost"},
		{`{"email":"g2@people.example","name":"x","password_hash":"correct horse battery staple"}`, "error", "no kind"},
		{`{"email":"g2@people.example","name":"` + strings.Repeat("x", 16<<10) + `"}`, "error", "longer than 16 KB"},
		{`{"email":"g2@people.example","name":"` + strings.Repeat("x", 200<<10) + `"}`, "error", "longer than 16 KB"},
		{good(2) + "\r", "created", ""},
		{`{"email":"g3@people.example","name":"Null","email_verified":null,"password_hash":null}`, "created", ""},
		{good(4), "created", ""}, // without an end
	}
	var body []string
	for _, l := range lines {
		body = append(body, l.line)
	}
	results := tt.importLines(t, request{body: strings.Join(body, "\n")})
	if len(results) != len(lines) {
		t.Fatalf("%d results of %d lines", len(results), len(lines))
	}
	for i, r := range results {
		want := lines[i]
		if r.Line != i+1 || r.Status != want.status || (r.ID != "") != (want.status != "error") || !strings.Contains(r.Message, want.says) || (r.Code == "invalid_line") != (want.status == "error") {
			t.Errorf("line %d: %+v, want %s, %q", i+1, r, want.status, want.says)
		}
		if strings.Contains(r.Message, "staple") || strings.Contains(r.Message, "CCCC") {
			t.Errorf("line %d: the result quotes the hash", i+1)
		}
	}
	list := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users?email=g1@people.example", key: tt.key})
	if list.field("data").([]any)[0].(map[string]any)["name"] != "Good" {
		t.Errorf("a user who was there was changed: %s", list.body)
	}
	tt.auditOfImport(t, map[string]any{"created": 4.0, "exists": 2.0, "errors": 15.0, "complete": true})
}

// auditOfImport wants exactly one entry about an import.
func (tt testTenant) auditOfImport(t *testing.T, want map[string]any) {
	t.Helper()
	var found []any
	eventually(t, 10*time.Second, "the audit log tells of the import", func() bool {
		a := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log?action=users.imported", key: tt.key}).want(t, 200, "")
		found, _ = a.field("data").([]any)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d entries", len(found))
	}
	got := maps.Clone(found[0].(map[string]any)["metadata"].(map[string]any))
	delete(got, "request_id")
	delete(got, "network")
	if !maps.Equal(got, want) {
		t.Errorf("the audit log says %v, want %v", got, want)
	}
}

// A client may send a line, wait for its result, and go on: nothing waits for a batch to be full.
func TestResultsComeWhileLinesAreSent(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	results, send, end := tt.openImport(t, tt.key)
	for i := range 5 {
		send(fmt.Sprintf(`{"email":"s%d@people.example","name":"Step"}`, i))
		if r := <-results; r.Line != i+1 || r.Status != "created" {
			t.Fatalf("%+v", r)
		}
	}
	end()
	if r, more := <-results; more {
		t.Fatalf("one result more: %+v", r)
	}
}

// openImport begins an import whose lines are sent one by one.
func (tt testTenant) openImport(t *testing.T, key string) (results <-chan importResult, send func(string), end func()) {
	t.Helper()
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+tt.address+"/v1/users/import", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = tt.host
	r.Header.Set("X-Api-Key", key)
	r.Header.Set("Content-Type", "application/x-ndjson")
	c := make(chan importResult, 100)
	go func() {
		defer close(c)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return
		}
		defer res.Body.Close()
		d := json.NewDecoder(res.Body)
		for {
			var one importResult
			if d.Decode(&one) != nil {
				return
			}
			c <- one
		}
	}()
	return c, func(line string) { _, _ = io.WriteString(out, line+"\n") }, func() { _ = out.Close() }
}

// A key that is revoked in the middle of an import makes no user more.
func TestARevokedKeyEndsItsImport(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	made := tt.do(t, request{method: "POST", host: tt.host, path: "/v1/api-keys", key: tt.key, body: map[string]any{"name": "import", "scopes": []string{"users:write"}}}).want(t, 201, "")
	results, send, end := tt.openImport(t, made.text("raw_key"))
	defer end()
	send(`{"email":"before@people.example","name":"Before"}`)
	if r := <-results; r.Status != "created" {
		t.Fatalf("%+v", r)
	}
	tt.do(t, request{method: "DELETE", host: tt.host, path: "/v1/api-keys/" + made.text("id"), key: tt.key}).want(t, 204, "")
	send(`{"email":"after@people.example","name":"After"}`)
	if r := <-results; r.Status != "aborted" || r.Code != "unauthenticated" || r.Line != 0 {
		t.Errorf("%+v", r)
	}
	if r, more := <-results; more {
		t.Errorf("one result more: %+v", r)
	}
	a := tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users?email=after@people.example", key: tt.key})
	if n := len(a.field("data").([]any)); n != 0 {
		t.Errorf("%d users were made after", n)
	}
	tt.auditOfImport(t, map[string]any{"created": 1.0, "exists": 0.0, "errors": 0.0, "complete": false})
}

// Sent again, an import goes on where it ended; a client that reads nothing before it has sent all gets every result.
func TestAnImportIsRepeatedAndItsAnswerWaits(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	const n = 3000
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"email":"%04d-%s@people.example","name":"Many"}`+"\n", i, strings.Repeat("x", 50))
	}
	half := lines.String()[:lines.Len()/2]
	first := tt.importLines(t, request{body: half[:strings.LastIndexByte(half, '\n')+1]})
	again := tt.importLines(t, request{body: lines.String()})
	if len(again) != n {
		t.Fatalf("%d results", len(again))
	}
	for i, r := range again {
		want := "created"
		if i < len(first) {
			want = "exists"
			if first[i].Status != "created" || first[i].ID != r.ID {
				t.Fatalf("line %d: first %+v, then %+v", i+1, first[i], r)
			}
		}
		if r.Status != want || r.Line != i+1 {
			t.Fatalf("line %d: %+v, want %s", i+1, r, want)
		}
	}
}

// A person cannot vouch for addresses, and needs no key to import.
func TestAnAdministratorImportsWithoutVouching(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	admin, _ := tt.signIn(t, "admin")
	user, _ := tt.signIn(t)
	body := `{"email":"v@people.example","name":"V","email_verified":true}` + "\n" + `{"email":"w@people.example","name":"W"}`
	results := tt.importLines(t, request{bearer: admin, body: body})
	if len(results) != 2 || results[0].Status != "error" || results[1].Status != "created" {
		t.Errorf("%+v", results)
	}
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users/import", bearer: user, body: body, header: ndjson}).want(t, 403, "forbidden")
	tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users/import", body: body, header: ndjson}).want(t, 401, "unauthenticated")
	tt.do(t, request{method: "POST", host: tt.host, path: "/v1/users/import", key: tt.key, body: body}).want(t, 415, "unsupported_media_type")
}
