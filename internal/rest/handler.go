package rest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// Handler is one operation. What it returns as an error is the answer, in the documented shape; it returns nil once it
// has answered itself.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP runs the operation and answers for its error.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	noteRoute(r)
	if err := h(w, r); err != nil {
		Fail(w, r, err)
	}
}

// Fail answers with err, for code that is not a Handler (a middleware of the tenancy layer). A 5xx is logged with its
// cause. If the answer has begun already, it cannot be taken back: the connection is cut, so that the client does not take
// half an answer for a whole one.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	LogFailure(ctx, err)
	if x := exchangeOf(ctx); x != nil && x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	problem.Write(w, RequestID(ctx), err)
}

// LogFailure logs what is our fault. A client that hung up is not.
func LogFailure(ctx context.Context, err error) {
	e := problem.From(err)
	if e.Kind.Status() < http.StatusInternalServerError {
		return
	}
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelInfo
	}
	Log(ctx).LogAttrs(ctx, level, "request failed", slog.String("code", e.Code), slog.Any("error", err))
}

// noteRoute remembers the matched template for the access log; only here, inside the router, is it known.
func noteRoute(r *http.Request) {
	x := exchangeOf(r.Context())
	if x == nil {
		return
	}
	if route := mux.CurrentRoute(r); route != nil {
		template, _ := route.GetPathTemplate()
		x.setRoute(template)
	}
}

// Methods is one path with its methods. HEAD is served by GET where it has no handler of its own (net/http drops the
// body); anything else is 405 with Allow (RFC 9110 section 15.5.6). Routing methods here and not in mux keeps the 405 in
// the documented shape and honest about what is allowed.
type Methods map[string]Handler

// ServeHTTP chooses by method, exactly: method names are case-sensitive (RFC 9110 section 9.1).
func (m Methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := m[r.Method]
	if !ok && r.Method == http.MethodHead {
		h, ok = m[http.MethodGet]
	}
	if ok {
		h.ServeHTTP(w, r)
		return
	}
	noteRoute(r)
	w.Header().Set("Allow", m.allow())
	Fail(w, r, problem.MethodNotAllowed())
}

func (m Methods) allow() string {
	names := slices.Collect(maps.Keys(m))
	if _, head := m[http.MethodHead]; m[http.MethodGet] != nil && !head {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// NotFound answers for every path no route knows, in the same shape and words as for an unknown id.
func NotFound(http.ResponseWriter, *http.Request) error { return problem.NotFound() }
