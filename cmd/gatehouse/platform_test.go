package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/mailsink"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", decodeLines)
	testenv.Main(m, endBrowsers)
}

// testPlatform is the whole service, serving on loopback from real Postgres and real Vault. Tests talk to it by HTTP, with
// host names, and each makes its own tenants.
type testPlatform struct {
	*platform
	url         string // http://localhost:PORT, the shared host
	address     string // 127.0.0.1:PORT, what is dialled
	platformKey string
	install     tenancytest.Installation
	logs        *safeBuffer
	mails       *mailsink.Sink // takes what the platform sends
}

// testConfig is the configuration of a platform on an installation, as gatehouse dev would make it.
func testConfig(tb testing.TB, in tenancytest.Installation, address string) config {
	tb.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	public, err := tenancy.ParseAddress("http://localhost:" + port)
	if err != nil {
		tb.Fatal(err)
	}
	return config{
		Listen: address, Address: public, TenantDomain: "localhost", Region: "test", Database: "shared-1", DatabaseCapacity: defaultCapacity, Replicas: 1, DatabaseConnections: 8,
		DatabaseURL: secret(in.RuntimeURL), ProvisionerURL: secret(in.ProvisionerURL),
		Vault: in.Runtime, VaultProvisioner: in.Provisioner.Login, LogFormat: "json", LogLevel: slog.LevelInfo, development: true, localNames: true, patient: true, unsealed: true,
	}
}

// sinkMail starts a mail server for the time of the test and says how to reach it.
func sinkMail(tb testing.TB, sink *mailsink.Sink) mailConfig {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = sink.Serve(ctx, l) }()
	tb.Cleanup(cancel)
	return mailConfig{From: "no-reply@id.example", Server: mail.Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: mail.Plain}}
}

// mailTo waits for the n-th mail to an address, counted from 1.
func (tp *testPlatform) mailTo(tb testing.TB, to string, n int) (m mailsink.Mail) {
	tb.Helper()
	eventually(tb, 30*time.Second, fmt.Sprintf("mail %d to %s", n, to), func() bool {
		all := tp.mails.Mails(to)
		if len(all) >= n {
			m = all[n-1]
		}
		return len(all) >= n
	})
	return m
}

// startPlatform starts a platform on an installation of its own.
func startPlatform(tb testing.TB) *testPlatform {
	tb.Helper()
	return startOn(tb, tenancytest.Install(tb), nil)
}

// startOn starts a platform on an installation; change, if not nil, alters its configuration first.
func startOn(tb testing.TB, in tenancytest.Installation, change func(*config)) *testPlatform {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	cfg := testConfig(tb, in, listener.Addr().String())
	sink := &mailsink.Sink{}
	cfg.Mail = sinkMail(tb, sink)
	if change != nil {
		change(&cfg)
	}
	logs := &safeBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := wire(ctx, cfg, cfg.logger(logs))
	if err != nil {
		tb.Fatal(err)
	}
	p.start(ctx)
	server := rest.NewServer("", withBrowserPage(p.handler(newHealth(p))), p.log)
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() {
		_ = server.Close()
		cancel()
		p.close()
	})
	tp := &testPlatform{platform: p, url: cfg.Address.Origin(cfg.Address.Shared()), address: listener.Addr().String(), install: in, logs: logs, mails: sink}
	tp.platformKey = tp.ensurePlatformTenant(tb)
	return tp
}

func (tp *testPlatform) ensurePlatformTenant(tb testing.TB) string {
	tb.Helper()
	ctx := context.Background()
	t, err := tp.directory.BySlug(ctx, tenancy.PlatformSlug)
	if err == nil {
		n, _ := identity.ParseNewAPIKey(t, "test", nil)
		_, raw, err := tp.apiKeys.Issue(ctx, t, n)
		if err != nil {
			tb.Fatal(err)
		}
		return raw
	}
	made, err := tp.provision.Create(ctx, tenancy.Tenant{Slug: tenancy.PlatformSlug, Name: "Platform", Locale: "en", Master: true})
	if err != nil {
		tb.Fatal(err)
	}
	return made.AdminKey
}

// shared is one platform for all tests that only need tenants of their own.
var shared = sync.OnceValue(func() *testPlatform {
	return startPlatform(processTB{})
})

func sharedPlatform(tb testing.TB) *testPlatform {
	tb.Helper()
	return shared()
}

// processTB is a testing.TB that lives as long as the process: what it would clean up goes with the process.
type processTB struct{ testing.TB }

func (processTB) Helper()                   {}
func (processTB) Cleanup(func())            {}
func (processTB) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (processTB) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (processTB) Name() string              { return "process" }
func (processTB) Logf(string, ...any)       {}
func (processTB) Log(...any)                {}
func (processTB) TempDir() string           { panic("a process has no temporary folder") }
func (processTB) Context() context.Context  { return context.Background() }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field reads a member of a JSON answer by path, such as "details.fields.email"; nil where there is none.
func (a answer) field(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (a answer) text(path string) string { s, _ := a.field(path).(string); return s }

// request is one call; Host is the host name alone, without it the shared host is meant.
type request struct {
	method, host, path string
	header             map[string]string
	body               any    // marshalled; a string is sent as it is
	bearer, key        string // credentials
	from               string // the address to come from, 127.0.0.1 if empty
}

// clients keep the connections of each address apart.
var clients sync.Map

func clientFrom(address string) *http.Client {
	if address == "" {
		return http.DefaultClient
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, _ := clients.LoadOrStore(address, &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}})
	return c.(*http.Client)
}

// do sends a request to the platform, whatever its host name resolves to.
func (tp *testPlatform) do(tb testing.TB, rq request) answer {
	tb.Helper()
	var body io.Reader
	switch b := rq.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			tb.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(tb.Context(), rq.method, "http://"+tp.address+rq.path, body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Host = rq.host
	if rq.host == "" {
		r.Host = strings.TrimPrefix(tp.url, "http://")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if rq.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+rq.bearer)
	}
	if rq.key != "" {
		r.Header.Set("X-API-Key", rq.key)
	}
	for name, value := range rq.header {
		r.Header.Set(name, value)
	}
	res, err := clientFrom(rq.from).Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, text}
}

// want fails the test unless the answer has this status and, for an error, this code.
func (a answer) want(tb testing.TB, status int, code string) answer {
	tb.Helper()
	if a.status != status || a.text("code") != code {
		tb.Fatalf("got %d %s, want %d %s: %s", a.status, a.text("code"), status, code, a.body)
	}
	return a
}

// testTenant is a tenant of one test, with the key that administers it.
type testTenant struct {
	*testPlatform
	id, slug, host, key string
}

// newTenant makes a tenant by the API, as a platform administrator would.
func (tp *testPlatform) newTenant(tb testing.TB) testTenant {
	tb.Helper()
	slug := "t" + strings.ToLower(rand.Text()[:12])
	a := tp.do(tb, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: map[string]any{"name": "Test", "slug": slug}}).want(tb, 201, "")
	return testTenant{tp, a.text("id"), slug, slug + ".localhost", a.text("admin_api_key")}
}

const goodPassword = "a long enough passphrase"

// newUser makes a user who can sign in at once, and returns the address and the id.
func (tt testTenant) newUser(tb testing.TB, roles ...string) (email, id string) {
	tb.Helper()
	email = strings.ToLower(rand.Text()[:10]) + "@people.example"
	body := map[string]any{"email": email, "name": "Somebody", "password": goodPassword, "email_verified": true}
	if roles != nil {
		body["roles"] = roles
	}
	rq := request{method: "POST", host: tt.host, path: "/v1/users", key: tt.key, body: body}
	a := tt.do(tb, rq)
	for range 10 { // a busy machine sheds passwords to hash, and a client tries again
		if a.status != http.StatusServiceUnavailable {
			break
		}
		a = tt.do(tb, rq)
	}
	return email, a.want(tb, 201, "").text("id")
}

func (tt testTenant) login(tb testing.TB, email, pw string) answer {
	tb.Helper()
	return tt.do(tb, request{method: "POST", host: tt.host, path: "/v1/auth/login", body: map[string]any{"email": email, "password": pw}})
}

// signIn makes a user and returns an access token of theirs.
func (tt testTenant) signIn(tb testing.TB, roles ...string) (token, userID string) {
	tb.Helper()
	email, id := tt.newUser(tb, roles...)
	return tt.login(tb, email, goodPassword).want(tb, 200, "").text("token"), id
}

// safeBuffer collects logs of a running server.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits for something another process or goroutine does, by asking and not by sleeping a guess.
func eventually(tb testing.TB, within time.Duration, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("not within %s: %s", within, what)
}
