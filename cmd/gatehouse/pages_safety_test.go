package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What pages must not do, whoever asks: these are the tests of an attacker, who needs no browser.

// browserless sends what a browser would, follows nothing, and keeps cookies as it is told to.
type browserless struct {
	testTenant
	base string // "" or /t/{slug}
	at   string // host it asks

	mu      sync.Mutex
	cookies map[string]string
}

func (tt testTenant) browserless() *browserless {
	return &browserless{testTenant: tt, at: tt.host, cookies: map[string]string{}}
}

// onSharedHost is one that came by the tenant's place on the shared host.
func (tt testTenant) onSharedHost() *browserless {
	b := tt.browserless()
	b.at, b.base = "localhost", "/t/"+tt.slug
	return b
}

func (b *browserless) send(t *testing.T, method, path string, form url.Values, change func(*http.Request)) *http.Response {
	t.Helper()
	rq, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	rq.Host = b.at + ":" + port(b.testPlatform)
	rq.Header.Set("Sec-Fetch-Site", "same-origin")
	rq.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.mu.Lock()
	for name, value := range b.cookies {
		rq.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	if change != nil {
		change(rq)
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range res.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("a cookie that browsers would send too far: %s", c.Raw)
		}
		if len(c.Name)+len(c.Value) > 4096 {
			t.Errorf("browsers drop the cookie %s of %d bytes", c.Name, len(c.Value))
		}
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return res
}

func (b *browserless) get(t *testing.T, path string) *http.Response {
	t.Helper()
	return b.send(t, http.MethodGet, b.base+path, nil, nil)
}

func (b *browserless) post(t *testing.T, path string, form url.Values) *http.Response {
	t.Helper()
	return b.send(t, http.MethodPost, b.base+path, form, nil)
}

// leads fails where an answer does not lead to a page.
func (b *browserless) leads(t *testing.T, res *http.Response, to string) {
	t.Helper()
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != b.base+to {
		t.Fatalf("%d to %q, and not to %s\n%s", res.StatusCode, got, b.base+to, text(res))
	}
}

func text(res *http.Response) string {
	data, _ := io.ReadAll(res.Body)
	return string(data)
}

// signsIn signs somebody in with their password.
func (b *browserless) signsIn(t *testing.T, email string) {
	t.Helper()
	b.leads(t, b.post(t, "/signin", url.Values{"email": {email}}), "/signin/password")
	b.leads(t, b.post(t, "/signin/password", url.Values{"email": {email}, "password": {goodPassword}}), "/account")
}

func (b *browserless) isIn(t *testing.T) bool {
	t.Helper()
	return b.get(t, "/account").StatusCode == http.StatusOK
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	b := tt.browserless()
	b.signsIn(t, email)
	own := tt.origin(tt.host)
	for name, c := range map[string]struct {
		site, origin string
		taken        bool
	}{
		"from another site":                 {"cross-site", own, false},
		"from a sibling":                    {"same-site", own, false},
		"from nowhere that is told":         {"", "", false},
		"by an old browser from elsewhere":  {"", "https://evil.example", false},
		"by an old browser from a sandbox":  {"", "null", false},
		"by an old browser, other port":     {"", "http://" + tt.host, false},
		"by an old browser, from here":      {"", own, true},
		"by a browser that says from where": {"same-origin", "null", true},
	} {
		res := b.send(t, http.MethodPost, "/account", url.Values{"first_name": {"Mallory"}}, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
		})
		if taken := res.StatusCode == http.StatusSeeOther; taken != c.taken || !taken && res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

func TestAFormIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	b := tt.browserless()
	b.signsIn(t, email)
	b.leads(t, b.post(t, "/account", url.Values{"first_name": {"Ada"}, "last_name": {"Lovelace"}}), "/account")
	for name, c := range map[string]struct {
		media, body string
		status      int
	}{
		"as text":               {"text/plain", "first_name=A", 415},
		"as JSON":               {"application/json", `{"first_name":"A"}`, 415},
		"as nothing":            {"", "first_name=A", 415},
		"longer than it may be": {"application/x-www-form-urlencoded", "first_name=A&x=" + strings.Repeat("x", 310<<10), 413},
		"with a broken escape":  {"application/x-www-form-urlencoded", "first_name=%zz&last_name=B", 400},
		"with bytes for text":   {"application/x-www-form-urlencoded", "first_name=%ff", 400},
	} {
		res := b.send(t, http.MethodPost, "/account", nil, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
			r.Header.Set("Content-Type", c.media)
		})
		if res.StatusCode != c.status {
			t.Errorf("%s: %d and not %d", name, res.StatusCode, c.status)
		}
	}
	b.leads(t, b.post(t, "/account", url.Values{"display_name": {"The Countess"}}), "/account") // what a form does not have stays
	if page := text(b.get(t, "/account")); !strings.Contains(page, `value="Ada"`) || !strings.Contains(page, `value="Lovelace"`) || !strings.Contains(page, "The Countess") {
		t.Error("the profile is not what was sent")
	}
}

func TestSessionsOfPagesEnd(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	b, other := tt.browserless(), tt.browserless()
	b.signsIn(t, email)
	other.signsIn(t, email)
	stolen := b.cookies["__Host-session"]
	b.leads(t, b.post(t, "/signout", nil), "/signed-out")
	if b.cookies["__Host-session"] = stolen; b.isIn(t) || !other.isIn(t) {
		t.Error("signing out ended another session than this")
	}
	// What ends it elsewhere ends it here.
	tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key}).want(t, 204, "")
	if res := other.get(t, "/account/sessions"); res.Header.Get("Location") != "/signin?next=%2Faccount%2Fsessions&prompt=login" {
		t.Errorf("%d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	// Whoever signs in again in the same browser has one session, whatever became of the access token of the other.
	again := tt.browserless()
	again.signsIn(t, email)
	again.cookies["__Host-session"] = over(again.cookies["__Host-session"])
	again.leads(t, again.post(t, "/signin/password", url.Values{"email": {email}, "password": {goodPassword}}), "/account")
	if n := tt.count(t, `select count(*) from sessions where user_id = $1`, user); n != 1 {
		t.Errorf("%d sessions of one browser", n)
	}
	// The API takes no cookie.
	res := again.send(t, http.MethodGet, "/v1/users/me/profile", nil, nil)
	if res.StatusCode != 401 {
		t.Errorf("the API takes a cookie: %d", res.StatusCode)
	}
}

// over is a session whose access token says that its time is over, so that the next page renews it.
func over(session string) string {
	refresh, access, _ := strings.Cut(session, "~")
	parts := strings.Split(access, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	payload = regexp.MustCompile(`"exp":[0-9]+`).ReplaceAll(payload, []byte(`"exp":1`))
	return refresh + "~" + parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
}

func TestASessionIsRenewedOnceByManyPages(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	b := tt.browserless()
	b.signsIn(t, email)
	b.cookies["__Host-session"] = over(b.cookies["__Host-session"])
	var in atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if b.get(t, "/account").StatusCode == http.StatusOK {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 20 || !b.isIn(t) {
		t.Errorf("%d of 20 pages were shown", in.Load())
	}
	if n := tt.count(t, `select refresh_generation from sessions where user_id = $1`, user); n != 2 {
		t.Errorf("renewed %d times", n-1)
	}
}

func TestBackupCodesAreForTheirSession(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	b := tt.browserless()
	b.signsIn(t, email)
	b.leads(t, b.post(t, "/account/security/add", url.Values{"method": {"totp"}}), "/account/security/add/app")
	secret := regexp.MustCompile(`id="secret" dir="ltr">([^<]+)<`).FindStringSubmatch(text(b.get(t, "/account/security/add/app")))[1]
	code := newApp(strings.ReplaceAll(secret, " ", "")).code(t, 0)
	b.leads(t, b.post(t, "/account/security/add/app", url.Values{"code": {code}}), "/account/security/codes")
	if page := text(b.get(t, "/account/security/codes")); strings.Count(page, "<li><code>") != 10 {
		t.Fatalf("ten codes are not on\n%s", page)
	}
	if file := text(b.get(t, "/backup-codes.txt")); len(regexp.MustCompile(`(?m)^[A-Z2-7]{4}-`).FindAllString(file, -1)) != 10 {
		t.Errorf("ten codes are not in\n%s", file)
	}
	flow := b.cookies["__Host-flow"]
	tt.at(t, "POST", "/v1/users/"+user+"/revoke-sessions", request{key: tt.key}).want(t, 204, "")
	for _, path := range []string{"/backup-codes.txt", "/account/security/codes", "/signin/done"} {
		if res := b.get(t, path); res.StatusCode == http.StatusOK {
			t.Errorf("%s shows something after the session has ended", path)
		}
	}
	thief := tt.browserless()
	mallory, _ := tt.newUser(t)
	thief.signsIn(t, mallory)
	thief.cookies["__Host-flow"] = flow
	for _, path := range []string{"/backup-codes.txt", "/account/security/codes"} {
		if res := thief.get(t, path); res.StatusCode == http.StatusOK {
			t.Errorf("%s shows somebody else's codes", path)
		}
	}
}

func TestOneTenantsCookiesAreNothingToAnother(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	acme, globex := tp.newTenant(t), tp.newTenant(t)
	email, _ := acme.newUser(t)
	b := acme.browserless()
	b.signsIn(t, email)
	elsewhere := globex.browserless()
	elsewhere.cookies["__Host-session"] = b.cookies["__Host-session"]
	if elsewhere.isIn(t) {
		t.Error("acme's session is good at globex")
	}
	elsewhere.leads(t, elsewhere.post(t, "/signout", nil), "/signed-out") // and no dead end
	e := acme.enrolledUser(t)
	owing := acme.browserless()
	owing.leads(t, owing.post(t, "/signin", url.Values{"email": {e.email}}), "/signin/password")
	owing.leads(t, owing.post(t, "/signin/password", url.Values{"email": {e.email}, "password": {goodPassword}}), "/signin/factor")
	elsewhere.cookies["__Host-flow"] = owing.cookies["__Host-flow"]
	elsewhere.leads(t, elsewhere.get(t, "/signin/factor"), "/signin/over")

	// On the shared host both are in one browser, side by side.
	one, two := acme.onSharedHost(), globex.onSharedHost()
	other, _ := globex.newUser(t)
	one.signsIn(t, email)
	two.cookies = one.cookies
	two.signsIn(t, other)
	if !one.isIn(t) || !two.isIn(t) {
		t.Error("two tenants do not live in one browser")
	}
	one.leads(t, one.post(t, "/signout", nil), "/signed-out")
	if one.isIn(t) || !two.isIn(t) {
		t.Error("signing out of one ended the other")
	}
}

// Nothing but the second factor leads past it.
func TestNoPageLeadsPastAFactor(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	e := tt.enrolledUser(t)
	b := tt.browserless()
	b.leads(t, b.post(t, "/signin", url.Values{"email": {e.email}}), "/signin/password")
	b.leads(t, b.post(t, "/signin/password", url.Values{"email": {e.email}, "password": {goodPassword}}), "/signin/factor")
	for _, path := range []string{"/account", "/account/security", "/account/security/codes", "/backup-codes.txt", "/console/users", "/signin/done", "/signin/over", "/signin/enrol", "/signin/enrol/app"} {
		if res := b.get(t, path); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/signin") {
			t.Errorf("%s: %d to %s", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	// Of fifty at once with one code one comes through.
	fresh := e.challengeOnPages(t)
	code := e.app.code(t, 1)
	mark := regexp.MustCompile(`name="mark" value="([^"]+)"`).FindStringSubmatch(text(fresh.get(t, "/signin/factor")))[1]
	var through atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res := fresh.post(t, "/signin/factor", url.Values{"method": {"totp"}, "mark": {mark}, "code": {code}})
			if res.Header.Get("Location") == "/account" {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if through.Load() != 1 {
		t.Errorf("%d came through", through.Load())
	}
}

// challengeOnPages is a browser that owes the factor.
func (e enrolled) challengeOnPages(t *testing.T) *browserless {
	t.Helper()
	b := e.browserless()
	b.leads(t, b.post(t, "/signin", url.Values{"email": {e.email}}), "/signin/password")
	b.leads(t, b.post(t, "/signin/password", url.Values{"email": {e.email}, "password": {goodPassword}}), "/signin/factor")
	return b
}

// What a tenant may decide locks nobody out of its pages.
func TestLongTokensAreKeptInPieces(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	audiences := make([]string, 20)
	for i := range audiences {
		audiences[i] = fmt.Sprintf("https://%02d.", i) + strings.Repeat("x", 185)
	}
	tt.settings(t, func(s map[string]any) { s["tokens"].(map[string]any)["audiences"] = audiences }).want(t, 200, "")
	b := tt.browserless()
	b.signsIn(t, email)
	if !b.isIn(t) {
		t.Error("the session is not what it was")
	}
	tt.settings(t, func(s map[string]any) { s["tokens"].(map[string]any)["audiences"] = []string{} }).want(t, 200, "")
	b.signsIn(t, email)
	if _, left := b.cookies["__Host-session-1"]; left || !b.isIn(t) {
		t.Error("a piece of the longer one is left")
	}
}

// A page that begins something by being shown is not begun by another site, and not by HEAD.
func TestOtherSitesBeginNothing(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, user := tt.newUser(t)
	b := tt.browserless()
	b.signsIn(t, email)
	began := func() int {
		return tt.count(t, `select count(*) from challenges where user_id = $1`, user)
	}
	for _, c := range []struct{ method, site string }{{"GET", "cross-site"}, {"GET", "same-site"}, {"HEAD", "same-origin"}} {
		b.send(t, c.method, "/account/security/add/key?method=webauthn_fido", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", c.site) })
	}
	if n := began(); n != 0 {
		t.Errorf("%d were begun", n)
	}
	b.get(t, "/account/security/add/key?method=webauthn_fido")
	if n := began(); n != 1 {
		t.Errorf("%d were begun by the page itself", n)
	}
}

func TestAReturnURLIsNoDirective(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for _, u := range []string{"http://a;sandbox;.localhost/x", "http://a,b.localhost/", "https://a'b.example/", "http://*.localhost/"} {
		tt.settings(t, func(s map[string]any) { s["return_urls"] = []string{u} }).want(t, 400, "invalid_request")
	}
	tt.applications(t, appURL)
	res := tt.browserless().get(t, "/signin?return_url="+url.QueryEscape(appURL)+"&code_challenge="+challengeOf(testVerifier))
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self';") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "app.example") {
		t.Errorf("the policy is %s", csp)
	}
}

// Pages say nothing of who has an account, and wait as the API does.
func TestPagesThrottleAsTheAPIDoes(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, _ := tt.newUser(t)
	said := map[string]string{}
	for _, e := range []string{email, "nobody@people.example"} {
		b := tt.browserless()
		for range 7 {
			b.leads(t, b.post(t, "/signin/password", url.Values{"email": {e}, "password": {wrongPassword}}), "/signin/password")
		}
		page := text(b.get(t, "/signin/password"))
		said[e] = regexp.MustCompile(`role="alert"[^>]*>([^<]+)<`).FindStringSubmatch(page)[1]
	}
	if said[email] != said["nobody@people.example"] || !strings.HasPrefix(said[email], "Too many attempts.") {
		t.Errorf("it says %q", said)
	}
}

// Nothing that an address says comes before the addresses on a page: a page would load its script from there.
func TestPagesLinkToTheirOwnHost(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	own := regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)
	for _, b := range []*browserless{tt.browserless(), tt.onSharedHost()} {
		b.base = ""
		for _, path := range []string{"//evil.example/%20", "/%20", "/nowhere", "//evil.example/x", "/t/" + tt.slug + "/%20", "/t/" + tt.slug + "//evil.example/%20", "//x/%C3%A9",
			"/t/%20/x", "/t//evil.example/x", `/\evil.example/%20`, "/signin?next=%2F%2Fevil.example", "/t/" + tt.slug + "/signin", "/%22%3E%3Cscript%3E"} {
			a := tt.send(t, "GET "+path+" HTTP/1.1\r\nHost: "+b.at+":"+port(b.testPlatform)+"\r\nAccept: text/html\r\n\r\n")
			for _, m := range own.FindAllStringSubmatch(string(a.body), -1) {
				if link := m[1]; link != "data:," && (!strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//")) && !strings.HasPrefix(link, "#") {
					t.Errorf("%s at %s leads to %s", path, b.at, link)
				}
			}
		}
	}
}
