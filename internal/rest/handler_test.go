package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

func fails(err error) Handler { return func(http.ResponseWriter, *http.Request) error { return err } }

// router is a small one as the service has it.
func router() http.Handler {
	m := mux.NewRouter().SkipClean(true)
	m.NotFoundHandler = Handler(NotFound)
	m.Handle("/v1/things/{id}", Methods{"GET": ok, "DELETE": ok})
	m.Handle("/v1/things", Methods{"POST": ok})
	m.Handle("/v1/broken", fails(errors.New("pq: password=hunter2")))
	return m
}

func TestUnknownPathsAndMethodsHaveTheDocumentedShape(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/v1/things/1", 200, "", ""},
		{"HEAD", "/v1/things/1", 200, "", ""},
		{"DELETE", "/v1/things/1", 200, "", ""},
		{"POST", "/v1/things/1", 405, "method_not_allowed", "DELETE, GET, HEAD"},
		{"get", "/v1/things/1", 405, "method_not_allowed", "DELETE, GET, HEAD"},
		{"OPTIONS", "/v1/things/1", 405, "method_not_allowed", "DELETE, GET, HEAD"},
		{"GET", "/v1/things", 405, "method_not_allowed", "POST"},
		{"HEAD", "/v1/things", 405, "method_not_allowed", "POST"},
		{"GET", "/v1/nothing", 404, "not_found", ""},
		{"GET", "/v1/things/", 404, "not_found", ""},
		{"GET", "//v1/things/1", 404, "not_found", ""},
		{"GET", "/v1/x/../things/1", 404, "not_found", ""},
		{"GET", "/v1/broken", 500, "internal", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			w := serve(Options{}, router(), httptest.NewRequest(c.method, c.path, nil))
			if c.code != "" {
				wantProblem(t, w, c.status, c.code)
			} else if w.Code != c.status {
				t.Errorf("got %d", w.Code)
			}
			if got := w.Header().Get("Allow"); got != c.allow {
				t.Errorf("Allow: %q, want %q", got, c.allow)
			}
		})
	}
}

func TestA5xxIsLoggedWithItsCauseAndToldWithout(t *testing.T) {
	var l lines
	w := serve(Options{Log: logInto(&l)}, router(), httptest.NewRequest("GET", "/v1/broken", nil))
	body := wantProblem(t, w, 500, "internal")
	if strings.Contains(w.Body.String(), "hunter2") {
		t.Error("the cause is told")
	}
	if id := w.Header().Get("X-Request-Id"); id == "" || body.Details["request_id"] != id {
		t.Errorf("request id %q, in the body %v", id, body.Details)
	}
	got := l.all(t, "request failed")
	if len(got) != 1 || got[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(got[0]["error"]), "hunter2") || got[0]["request_id"] == nil {
		t.Errorf("logged %v", got)
	}
}

func TestA4xxIsNotLoggedAsAFailureAndAClientThatHungUpIsNoError(t *testing.T) {
	var l lines
	serve(Options{Log: logInto(&l)}, fails(problem.NotFound().With(errors.New("x"))), httptest.NewRequest("GET", "/", nil))
	if got := l.all(t, "request failed"); len(got) != 0 {
		t.Errorf("logged %v", got)
	}
	serve(Options{Log: logInto(&l)}, fails(fmt.Errorf("query: %w", context.Canceled)), httptest.NewRequest("GET", "/", nil))
	if got := l.all(t, "request failed"); len(got) != 1 || got[0]["level"] != "INFO" {
		t.Errorf("logged %v", got)
	}
}

func TestAnErrorAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	var l lines
	half := Handler(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = w.Write([]byte(`{"data":[`))
		w.(http.Flusher).Flush()
		return errors.New("the cursor broke")
	})
	s := httptest.NewServer(Middleware(Options{Log: logInto(&l)})(half))
	defer s.Close()
	res, err := http.Get(s.URL + "/")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Errorf("half an answer looks whole: %v", err)
	}
	if len(l.all(t, "request failed")) != 1 {
		t.Error("it is not logged")
	}
}

func TestHandlersWorkWithoutTheMiddleware(t *testing.T) {
	w := httptest.NewRecorder()
	fails(problem.Forbidden()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	wantProblem(t, w, 403, "forbidden")
	AddLogAttrs(t.Context())
	if RequestID(t.Context()) != "" || ClientIP(t.Context()).IsValid() || Log(t.Context()) == nil {
		t.Error("values out of nowhere")
	}
}
