package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// What the HTTP scripts of the api_*_test.go files share beyond the harness in platform_test.go.

// members are the names of an object's members, sorted.
func members(v any) []string {
	m, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

// wantMembers fails unless the object at path ("" is the whole answer) has exactly these members, given separated by
// commas.
func (a answer) wantMembers(tb testing.TB, path, names string) answer {
	tb.Helper()
	v := a.field(path)
	if path == "" {
		_ = json.Unmarshal(a.body, &v)
	}
	want := strings.Split(names, ",")
	slices.Sort(want)
	if got := members(v); !slices.Equal(got, want) {
		tb.Errorf("%q has the members %v, want %v: %s", path, got, want, a.body)
	}
	return a
}

// wantFields fails unless the answer is a 400 that names exactly these fields.
func (a answer) wantFields(tb testing.TB, names string) answer {
	tb.Helper()
	return a.want(tb, 400, "invalid_request").wantMembers(tb, "details.fields", names)
}

// data are the rows of a list.
func (a answer) data(tb testing.TB) []map[string]any {
	tb.Helper()
	var l struct {
		Data []map[string]any `json:"data"`
	}
	if err := json.Unmarshal(a.body, &l); err != nil {
		tb.Fatalf("%v: %s", err, a.body)
	}
	return l.Data
}

// alike reports how two answers differ for a client, apart from what differs between any two answers; "" is not at all.
func alike(a, b answer) string {
	strip := func(h http.Header) http.Header {
		h = h.Clone()
		h.Del("X-Request-Id")
		h.Del("Date")
		return h
	}
	switch {
	case a.status != b.status:
		return fmt.Sprintf("status %d and %d", a.status, b.status)
	case string(a.body) != string(b.body):
		return fmt.Sprintf("body %s and %s", a.body, b.body)
	case !maps.EqualFunc(strip(a.header), strip(b.header), slices.Equal):
		return fmt.Sprintf("header %v and %v", strip(a.header), strip(b.header))
	}
	return ""
}

// at is a request to the tenant's own host.
func (tt testTenant) at(tb testing.TB, method, path string, rq request) answer {
	tb.Helper()
	rq.method, rq.path = method, path
	if rq.host == "" {
		rq.host = tt.host
	}
	return tt.do(tb, rq)
}

// newKey makes a key of the tenant with some scopes.
func (tt testTenant) newKey(tb testing.TB, scopes ...string) (raw, id string) {
	tb.Helper()
	a := tt.at(tb, "POST", "/v1/api-keys", request{key: tt.key, body: map[string]any{"name": "some", "scopes": scopes}}).want(tb, 201, "")
	return a.text("raw_key"), a.text("id")
}

// platformTenant is the platform tenant, for scripts that treat it as a tenant like others.
func (tp *testPlatform) platformTenant(tb testing.TB) testTenant {
	tb.Helper()
	a := tp.do(tb, request{method: "GET", path: "/v1/tenants", key: tp.platformKey}).want(tb, 200, "")
	row := a.data(tb)[0] // made first
	if row["is_master"] != true {
		tb.Fatalf("the first tenant is not the platform's: %v", row)
	}
	return testTenant{tp, row["id"].(string), "platform", "platform.localhost", tp.platformKey}
}

// superuser opens a connection behind the service's back, with the tables of the tenant in reach.
func (tt testTenant) superuser(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), tt.install.SuperuserURL)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(tb.Context()) })
	tenant, err := id.ParseTenant(tt.id)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.Exec(tb.Context(), "set search_path to t_"+tenant.Hex()); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// exec runs a statement on the tenant's tables behind the service's back.
func (tt testTenant) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := tt.superuser(tb).Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

// count is the number a query on the tenant's tables yields.
func (tt testTenant) count(tb testing.TB, sql string, args ...any) (n int) {
	tb.Helper()
	if err := tt.superuser(tb).QueryRow(tb.Context(), sql, args...).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// uniqueName is a label that no other test uses.
func uniqueName() string { return "n" + strings.ToLower(rand.Text()[:12]) }

// claimsOf reads the payload of a token without judging it.
func claimsOf(tb testing.TB, token string) map[string]any {
	tb.Helper()
	return segment(tb, token, 1)
}

func segment(tb testing.TB, token string, n int) (v map[string]any) {
	tb.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		tb.Fatalf("%d parts are no token", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// send writes bytes to the server as they are and reads one answer, for what no HTTP client would send.
func (tp *testPlatform) send(tb testing.TB, raw string) answer {
	tb.Helper()
	conn, err := net.Dial("tcp", tp.address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, raw); err != nil {
		tb.Logf("the server stopped reading: %v", err)
	}
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, body}
}
