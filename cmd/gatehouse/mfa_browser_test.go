package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// A real browser signs in, with authenticators that are simulated below it. What it sends is what browsers send, and what
// it refuses to do for another tenant is refused before we are asked.

//go:embed testdata/browser.html
var browserPage []byte

const browserPath = "/__test/"

// withBrowserPage serves the page of the browser tests on every host of the platform: a page that signs in has to have
// the tenant's own origin.
func withBrowserPage(platform http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != browserPath {
			platform.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(browserPage)
	})
}

// browsers are those that run, by the platform that they look at. There is one for all tests of a platform, which starts when the
// first of them wants it: each test has windows of its own in it, with cookies of their own, and a dozen at once would take
// the machine from each other.
var browsers = struct {
	sync.Mutex
	by  map[*testPlatform]context.Context
	end []func()
}{by: map[*testPlatform]context.Context{}}

// startBrowser is a Chromium with an empty profile. It ends with the process, and leaves nothing behind.
func startBrowser(t *testing.T, tp *testPlatform) context.Context {
	t.Helper()
	browsers.Lock()
	defer browsers.Unlock()
	if browsers.by[tp] == nil {
		browsers.by[tp] = newBrowser(t, tp) //nolint:fatcontext // chromedp's name for a browser
	}
	return browsers.by[tp]
}

// endBrowsers ends them all.
func endBrowsers() {
	browsers.Lock()
	defer browsers.Unlock()
	for _, end := range browsers.end {
		end()
	}
}

func newBrowser(t *testing.T, tp *testPlatform) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Fatal("passkeys are tested in a real browser, and there is none: install the package chromium")
	}
	home, err := os.MkdirTemp("", "gatehouse-browser-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var said safeBuffer
	ctx, end := chromedp.NewExecAllocator(ctx, chromedp.ExecPath(program),
		chromedp.Env("HOME="+home, "TMPDIR="+home), chromedp.CombinedOutput(&said),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		// Browsers look for related origins on the port of https and nowhere else. Nothing but this machine is reached.
		chromedp.Flag("host-resolver-rules", "MAP *.localhost:443 "+overTLS(tp)+",MAP *.localhost 127.0.0.1,MAP * ~NOTFOUND"),
		chromedp.Flag("ignore-certificate-errors", true))
	ctx, _ = chromedp.NewContext(ctx)
	browsers.end = append(browsers.end, func() {
		_ = chromedp.Cancel(ctx) // asks the browser to close, and waits
		end()
		cancel()
		_ = os.RemoveAll(home)
	})
	if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("the browser does not start: %v\n%s", err, said.String())
	}
	return ctx
}

// overTLS is what stands before a platform that is served by https: it ends TLS, on an address that it returns.
func overTLS(tp *testPlatform) (address string) {
	_, port, _ := strings.Cut(tp.address, ":")
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", tp.address
		r.Out.Host = r.In.Host + ":" + port
	}})
	browsers.end = append(browsers.end, front.Close)
	return front.Listener.Addr().String()
}

// tab shows the sign-in page of a tenant on a device of its own, which stays when the tab goes to another site.
type tab struct {
	testTenant
	ctx context.Context //nolint:containedctx // chromedp's name for a tab
}

func (tt testTenant) openTab(t *testing.T, browser context.Context, device webauthn.VirtualAuthenticatorOptions) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := tab{tt, ctx}
	device.AutomaticPresenceSimulation = true // somebody touches it whenever it asks
	command(t, p, webauthn.Enable, webauthn.EnableParams{})
	command(t, p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &device})
	p.visit(t, tt.host)
	return p
}

// do has the tab do something.
func do[T any](t *testing.T, p tab, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func command[P, R any](t *testing.T, p tab, c cdp.Command[P, R], params P) {
	t.Helper()
	do(t, p, func(ctx context.Context, target *chromedp.Target) (R, error) { return cdp.Call(ctx, target, c, params) })
}

func (p tab) visit(t *testing.T, host string) {
	t.Helper()
	do(t, p, chromedp.Navigate(p.origin(host)+browserPath))
}

// A laptop that knows its owner's finger, the same with an account that copies passkeys to the owner's other devices, and
// the oldest kind of security key.
var (
	laptop = webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true}
	synced = func() webauthn.VirtualAuthenticatorOptions {
		o := laptop
		o.DefaultBackupEligibility, o.DefaultBackupState = true, true
		return o
	}()
	u2f = webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolU2f, Transport: webauthn.AuthenticatorTransportUsb}
)

// run has the page do something; see run in the page.
func (p tab) run(t *testing.T, flow string, args ...any) answer {
	t.Helper()
	list, err := json.Marshal(append([]any{flow}, args...))
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Status int    `json:"status"`
		Body   string `json:"body"`
	}
	got := do(t, p, chromedp.Evaluate[result]("run(..."+string(list)+")", chromedp.EvalAwaitPromise))
	return answer{status: got.Status, body: []byte(got.Body)}
}

// registered is somebody new who signed in with the password and registered what is plugged into the tab.
func (p tab) registered(t *testing.T, method string) (email string) {
	t.Helper()
	email, _ = p.newUser(t)
	token := p.run(t, "login", email, goodPassword).want(t, 200, "").text("token")
	a := p.run(t, "register", token, method).want(t, 200, "")
	if codes, _ := a.field("codes").([]any); len(codes) != 10 {
		t.Errorf("not ten backup codes: %s", a.body)
	}
	return email
}

// proveHost gives the tenant another host, and waits until browsers are told.
func (tt testTenant) proveHost(t *testing.T, host string) {
	t.Helper()
	claimed := tt.at(t, "POST", "/v1/domains", request{key: tt.key, body: map[string]any{"domain": host, "uses": []string{"host"}}}).want(t, 201, "")
	tt.at(t, "POST", "/v1/domains/"+claimed.text("id")+"/verify", request{key: tt.key}).want(t, 200, "")
	eventually(t, 20*time.Second, "the other host is heard of", func() bool {
		a := tt.at(t, "GET", "/.well-known/webauthn", request{}).want(t, 200, "")
		return strings.TrimSpace(string(a.body)) == `{"origins":["`+tt.origin(host)+`"]}`
	})
}

func TestABrowserSignsIn(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	browser := startBrowser(t, tp)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	for _, c := range []struct {
		name string
		testTenant
		device webauthn.VirtualAuthenticatorOptions
		amr    string
	}{
		{"at acme with a passkey", acme, laptop, `["hwk","user","mfa"]`},
		{"at globex with a passkey", globex, synced, `["swk","user","mfa"]`},
	} {
		p := c.openTab(t, browser, c.device)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p.registered(t, "webauthn_passkey")
			alone := p.run(t, "passkey").want(t, 200, "")
			wantClaims(t, alone.text("token"), c.amr, "aal2")
			offered := p.run(t, "passkey", "conditional").want(t, 200, "")
			wantClaims(t, offered.text("token"), c.amr, "aal2")
		})
	}
	for name, tt := range map[string]testTenant{"at acme with a security key": acme, "at globex with a security key": globex} {
		p := tt.openTab(t, browser, u2f)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			email := p.registered(t, "webauthn_fido")
			owed := p.run(t, "login", email, goodPassword).want(t, 200, "")
			if methods, _ := json.Marshal(owed.field("methods")); owed.field("token") != nil || string(methods) != `["webauthn_fido"]` {
				t.Fatalf("not a challenge for a security key: %s", owed.body)
			}
			done := p.run(t, "secondFactor", owed.text("challenge_id")).want(t, 200, "")
			wantClaims(t, done.text("token"), `["pwd","hwk","mfa"]`, "aal2")
		})
	}
	t.Run("but not at globex with a passkey of acme", func(t *testing.T) {
		t.Parallel()
		p := acme.openTab(t, browser, laptop)
		p.registered(t, "webauthn_passkey")
		challenge, options := acme.passkey(t)
		stolen := json.RawMessage(p.run(t, "prove", options).want(t, 200, "").body)
		globex.completePasskey(t, challenge, stolen).want(t, 401, "invalid_credential")
		// Somebody at acme has users sign what globex asked for.
		relayed, asked := globex.passkey(t)
		globex.completePasskey(t, relayed, stolen).want(t, 401, "invalid_credential")
		asked.(map[string]any)["rpId"] = acme.host
		signed := json.RawMessage(p.run(t, "prove", asked).want(t, 200, "").body)
		globex.completePasskey(t, relayed, signed).want(t, 401, "invalid_credential")
		acme.completePasskey(t, challenge, stolen).want(t, 200, "") // nothing was wrong with it

		p.visit(t, globex.host)
		p.run(t, "prove", options).want(t, 0, "SecurityError")
		p.run(t, "passkey").want(t, 0, "NotAllowedError")
	})
	t.Run("on another host of its tenant once that is proved", func(t *testing.T) {
		t.Parallel()
		tt := tp.newTenant(t)
		p := tt.openTab(t, browser, laptop)
		p.registered(t, "webauthn_passkey")
		_, options := tt.passkey(t)
		other := uniqueName() + ".localhost"
		p.visit(t, other)
		p.run(t, "prove", options).want(t, 0, "SecurityError")
		tt.proveHost(t, other)
		p.run(t, "passkey").want(t, 200, "")
	})
}
