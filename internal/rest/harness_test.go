package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// lines collects what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// all decodes the lines with the message.
func (l *lines) all(t *testing.T, message string) (out []map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(l.text())))
	for {
		var line map[string]any
		if err := d.Decode(&line); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if line["msg"] == message {
			out = append(out, line)
		}
	}
}

func logInto(l *lines) *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// serve sends one request through the middleware to h.
func serve(o Options, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := httptest.NewRecorder()
	Middleware(o)(h).ServeHTTP(w, r)
	return w
}

func jsonRequest(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// wantProblem checks status and code of an answer in the documented shape and gives its body.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code string) (body struct {
	Code    string
	Message string
	Details map[string]any
}) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	if w.Code != status || body.Code != code || body.Message == "" {
		t.Fatalf("got %d %s, want %d %s", w.Code, w.Body, status, code)
	}
	return body
}

var ok = Handler(func(w http.ResponseWriter, r *http.Request) error { return Respond(w, 200, struct{}{}) })
