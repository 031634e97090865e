package rest

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"Strict-Transport-Security":    "",
	}
	wantHTTPS := maps.Clone(want)
	wantHTTPS["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })
	for name, c := range map[string]struct {
		o    Options
		h    http.Handler
		want map[string]string
	}{
		"a success":      {Options{}, ok, want},
		"over HTTPS":     {Options{HTTPS: true}, ok, wantHTTPS},
		"an error":       {Options{}, Handler(NotFound), want},
		"a panic":        {Options{}, panics, want},
		"an empty reply": {Options{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), want},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(c.o, c.h, httptest.NewRequest("GET", "/", nil))
			for header, value := range c.want {
				if got := w.Header().Values(header); strings.Join(got, "|") != value {
					t.Errorf("%s: %q, want %q", header, got, value)
				}
			}
		})
	}
}

func TestTheSharedHeaderValuesCannotBeChangedByAHandler(t *testing.T) {
	meddle := Handler(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Add("Cache-Control", "private")
		w.Header().Set("Referrer-Policy", "origin")
		return NoContent(w)
	})
	serve(Options{}, meddle, httptest.NewRequest("GET", "/", nil))
	w := serve(Options{}, ok, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Values("Cache-Control"); len(got) != 1 || got[0] != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the next request got %v", w.Header())
	}
}

func TestTheRequestIDIsAlwaysOurs(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		var inside string
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", "theirs")
		w := serve(Options{}, Handler(func(w http.ResponseWriter, r *http.Request) error {
			inside = RequestID(r.Context())
			return NoContent(w)
		}), r)
		id := w.Header().Get("X-Request-Id")
		if id == "" || id == "theirs" || id != inside || seen[id] || len(w.Header().Values("X-Request-Id")) != 1 {
			t.Fatalf("sent %q, inside %q", id, inside)
		}
		seen[id] = true
	}
}

func TestAPanicIsA500AndLoggedWithItsStack(t *testing.T) {
	var l lines
	w := serve(Options{Log: logInto(&l)}, Handler(func(http.ResponseWriter, *http.Request) error { panic("secret state") }),
		httptest.NewRequest("GET", "/", nil))
	wantProblem(t, w, 500, "internal")
	if strings.Contains(w.Body.String(), "secret state") {
		t.Error("the panic is told")
	}
	if text := l.text(); !strings.Contains(text, "secret state") || !strings.Contains(text, "middleware_test.go") {
		t.Errorf("logged %s", text)
	}
	if got := l.all(t, "request"); len(got) != 1 || got[0]["status"] != 500.0 {
		t.Errorf("logged %v", got)
	}
}

func TestAnAbortIsPassedOn(t *testing.T) {
	var l lines
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the abort is swallowed")
		}
		if got := l.all(t, "request"); len(got) != 1 || got[0]["status"] != 0.0 {
			t.Errorf("logged %v", got)
		}
	}()
	serve(Options{Log: logInto(&l)}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		httptest.NewRequest("GET", "/", nil))
}

func TestOnlyAPathIsATarget(t *testing.T) {
	for target, want := range map[string]int{
		"/":                          200,
		"/v1/users?x=1":              200,
		"//evil.example/v1/users":    200, // a path with two slashes, and no host
		"http://evil.example/v1":     400,
		"https://acme.example/v1":    400,
		"HTTP://evil.example/":       400,
		"ftp://evil.example/":        400,
		"http:///v1":                 400,
		"http://user@evil.example/x": 400,
	} {
		if w := serve(Options{}, ok, httptest.NewRequest("GET", target, nil)); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	star := httptest.NewRequest("OPTIONS", "/", nil)
	star.RequestURI, star.URL.Path = "*", "*"
	wantProblem(t, serve(Options{}, ok, star), 400, "invalid_request")
}

func TestTheAccessLogNamesTheRouteAndNoSecret(t *testing.T) {
	var l lines
	m := router()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		AddLogAttrs(r.Context(), slog.String("tenant", "t-1"))
		Log(r.Context()).Info("inside")
		m.ServeHTTP(w, r)
	})
	r := httptest.NewRequest("DELETE", "/v1/things/secret-path?token=secret-query", nil)
	r.Header.Set("Authorization", "Bearer secret-token")
	r.Header.Set("X-Api-Key", "secret-key")
	r.RemoteAddr = "192.0.2.7:1234"
	serve(Options{Log: logInto(&l)}, h, r)
	serve(Options{Log: logInto(&l)}, h, httptest.NewRequest("GET", "/secret-unmatched", nil))
	serve(Options{Log: logInto(&l)}, h, httptest.NewRequest("PUT", "/v1/things/secret-path", nil))
	if strings.Contains(l.text(), "secret") {
		t.Errorf("a secret is logged: %s", l.text())
	}
	got := l.all(t, "request")
	if len(got) != 3 {
		t.Fatalf("%d lines", len(got))
	}
	for key, want := range map[string]any{
		"method": "DELETE", "route": "/v1/things/{id}", "status": 200.0, "tenant": "t-1", "client": "192.0.2.7", "bytes": 3.0,
	} {
		if got[0][key] != want {
			t.Errorf("%s: %v, want %v", key, got[0][key], want)
		}
	}
	if got[0]["request_id"] == nil || got[0]["duration_ms"] == nil {
		t.Errorf("missing: %v", got[0])
	}
	if got[1]["route"] != "unmatched" || got[1]["status"] != 404.0 || got[2]["route"] != "/v1/things/{id}" || got[2]["status"] != 405.0 {
		t.Errorf("got %v", got[1:])
	}
	if inside := l.all(t, "inside"); inside[0]["tenant"] != "t-1" || inside[0]["request_id"] != got[0]["request_id"] {
		t.Errorf("got %v", inside)
	}
}

func TestAnOperationIsBoundedInTime(t *testing.T) {
	wait := Handler(func(w http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return r.Context().Err()
	})
	w := serve(Options{Timeout: 20 * time.Millisecond}, wait, httptest.NewRequest("GET", "/", nil))
	wantProblem(t, w, 503, "unavailable")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	deadline := Handler(func(w http.ResponseWriter, r *http.Request) error {
		if d, ok := r.Context().Deadline(); !ok || time.Until(d) > DefaultTimeout || time.Until(d) < DefaultTimeout/2 {
			t.Errorf("the usual deadline is %v, %v", d, ok)
		}
		return NoContent(w)
	})
	serve(Options{}, deadline, httptest.NewRequest("GET", "/", nil))
}

func TestTheClientAddressReachesTheHandler(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:9"
	r.Header.Set("X-Forwarded-For", "2001:db8::1")
	serve(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, Handler(func(w http.ResponseWriter, r *http.Request) error {
		if got := ClientIP(r.Context()); got != netip.MustParseAddr("2001:db8::1") {
			t.Errorf("got %v", got)
		}
		return NoContent(w)
	}), r)
}
