package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// seen is what an operation saw of a request.
type seen struct {
	method, path, query, host, remote, body, id string
	header                                      http.Header
}

// inside has a page at /page make an inner request, and says what the operation saw and what the page got.
func inside(t *testing.T, i Inner, outer func(*http.Request), operation Handler) (s seen, a *InnerAnswer, log string) {
	t.Helper()
	var out bytes.Buffer
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, string(body), RequestID(r.Context()), r.Header}
		operation.ServeHTTP(w, r)
	})
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a = i.Do(api, r) })
	r := httptest.NewRequest(http.MethodPost, "/page", strings.NewReader("of=the+form"))
	r.Host, r.RemoteAddr = "acme.example", "192.0.2.7:1234"
	outer(r)
	w := httptest.NewRecorder()
	Middleware(Options{Log: slog.New(slog.NewJSONHandler(&out, nil))})(page).ServeHTTP(w, r)
	if s.id != "" && s.id != w.Header().Get("X-Request-Id") {
		t.Errorf("the operation has the request id %s, and the page %s", s.id, w.Header().Get("X-Request-Id"))
	}
	return s, a, out.String()
}

func created(w http.ResponseWriter, _ *http.Request) error {
	return Respond(w, http.StatusCreated, map[string]string{"a": "b"})
}

func TestAnInnerRequestIsOfTheSameClientAndNobodyElse(t *testing.T) {
	t.Parallel()
	i := Inner{Method: http.MethodPut, Path: "/v1/things/a%2Fb", Query: url.Values{"q": {"x y"}}, Bearer: "token", Body: []byte(`{"n":1}`)}
	s, a, _ := inside(t, i, func(r *http.Request) {
		for name, value := range map[string]string{"User-Agent": "Browser", "X-Forwarded-For": "192.0.2.9", "Cookie": "__Host-session=secret", "Authorization": "Bearer other",
			"X-Api-Key": "ghk_other", "X-Tenant-Id": "other", "Origin": "https://evil.example", "Idempotency-Key": "1"} {
			r.Header.Set(name, value)
		}
	}, created)
	if s.method != "PUT" || s.path != "/v1/things/a/b" || s.query != "q=x+y" || s.host != "acme.example" || s.remote != "192.0.2.7:1234" || s.body != `{"n":1}` {
		t.Errorf("the operation saw %+v", s)
	}
	want := http.Header{"User-Agent": {"Browser"}, "X-Forwarded-For": {"192.0.2.9"}, "Authorization": {"Bearer token"}, "Content-Type": {"application/json; charset=utf-8"}}
	if got, _ := json.Marshal(s.header); string(got) != string(mustMarshal(t, want)) {
		t.Errorf("the operation saw the headers %s", got)
	}
	if a.Status != http.StatusCreated || strings.TrimSpace(a.Body.String()) != `{"a":"b"}` {
		t.Errorf("the page got %d %s", a.Status, a.Body.String())
	}
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWhatFailsInsideIsAnAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		operation Handler
		status    int
		code      string
	}{
		"a refusal":      {func(http.ResponseWriter, *http.Request) error { return problem.NotFound() }, 404, "not_found"},
		"a panic":        {func(http.ResponseWriter, *http.Request) error { panic("a bug") }, 500, "internal"},
		"no body":        {Handler(func(_ http.ResponseWriter, r *http.Request) error { _, err := Decode[struct{}](r); return err }), 400, "invalid_request"},
		"nothing at all": {func(http.ResponseWriter, *http.Request) error { return nil }, 200, ""},
	} {
		_, a, log := inside(t, Inner{Method: http.MethodPost, Path: "/v1/x"}, func(*http.Request) {}, c.operation)
		var body struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(a.Body.Bytes(), &body)
		if a.Status != c.status || body.Code != c.code {
			t.Errorf("%s: the page got %d %s", name, a.Status, a.Body.String())
		}
		if n := strings.Count(log, `"msg":"request"`); n != 2 {
			t.Errorf("%s: %d lines of two requests in the log", name, n)
		}
	}
}

// An operation that may take longer than others may do so inside a page, too.
func TestTimeInsideIsTheOperations(t *testing.T) {
	t.Parallel()
	slow := Limits{Time: time.Hour}.Apply(func(w http.ResponseWriter, r *http.Request) error {
		if until, bounded := r.Context().Deadline(); !bounded || time.Until(until) < time.Minute {
			t.Errorf("it has until %v", until)
		}
		return NoContent(w)
	})
	inside(t, Inner{Method: http.MethodPost, Path: "/v1/x"}, func(*http.Request) {}, slow)
}
