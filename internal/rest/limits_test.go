package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func length(w http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	return Respond(w, 200, map[string]int{"length": len(b)})
}

func TestARouteMayHaveItsOwnBodyLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  int64
		size   int
		status int
	}{
		{"the usual one holds for zero", 0, DefaultBodyLimit + 1, 413},
		{"a larger one", 300 << 10, 300 << 10, 200},
		{"and its end", 300 << 10, 300<<10 + 1, 413},
		{"a smaller one", 10, 11, 413},
		{"none at all", -1, 1 << 20, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := jsonRequest("POST", "/", strings.Repeat("x", c.size))
			if w := serve(Options{}, Limits{Body: c.limit}.Apply(length), r); w.Code != c.status {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

type valueKey struct{}

func TestARouteMayTakeItsOwnTime(t *testing.T) {
	// inner plays a middleware between ours and the route, which puts a value into the context.
	inner := func(h Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), valueKey{}, "kept")))
		})
	}
	o := Options{Timeout: 20 * time.Millisecond}
	for _, c := range []struct {
		name string
		time time.Duration
		ends error
	}{
		{"the usual one", 0, context.DeadlineExceeded},
		{"longer", time.Hour, nil},
		{"without end", -1, nil},
		{"shorter", time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve(o, inner(Limits{Time: c.time}.Apply(func(w http.ResponseWriter, r *http.Request) error {
				ctx, cancel := context.WithTimeout(r.Context(), time.Hour) // as a query would derive it
				defer cancel()
				select {
				case <-ctx.Done():
				case <-time.After(60 * time.Millisecond):
				}
				if !errors.Is(ctx.Err(), c.ends) && ctx.Err() != c.ends {
					t.Errorf("ended by %v", ctx.Err())
				}
				if ctx.Value(valueKey{}) != "kept" || RequestID(ctx) == "" {
					t.Error("the values are lost")
				}
				return NoContent(w)
			})), httptest.NewRequest("GET", "/", nil))
		})
	}
}

func TestALongOperationStillEndsWithItsClient(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	h := Limits{Time: -1}.Apply(func(w http.ResponseWriter, r *http.Request) error {
		hangUp()
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
			t.Error("it runs on")
		}
		return NoContent(w)
	})
	serve(Options{}, h, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
}
