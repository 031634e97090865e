package identity

import (
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// CallerHandler is an operation that wants to know who calls.
type CallerHandler func(w http.ResponseWriter, r *http.Request, by Caller) error

// Guard admits callers to operations. The order is always the same: whose request is it, who makes it, may they.
type Guard struct {
	Front   tenancy.Front
	Callers *Callers
	Judge   *Judge
}

var _ tenancy.Guard = (*Guard)(nil)

// User admits signed-in users. An API key is nobody in particular and is refused like no credential.
func (g *Guard) User(h CallerHandler) rest.Handler {
	return g.admit(func(_ *http.Request, c Caller) error {
		if c.User == nil {
			return problem.Unauthenticated()
		}
		return nil
	}, h)
}

// Admin admits the tenant's keys that carry the scope and the users whom its rules let do this operation: by default its
// administrators.
func (g *Guard) Admin(s Scope, h CallerHandler) rest.Handler {
	return g.admit(func(r *http.Request, c Caller) error { return c.may(r.Context(), g.Judge, operationOf(r), s) }, h)
}

// operationOf names an operation as rules do: method and path template. HEAD is the GET that it asks about: it tells of the same.
func operationOf(r *http.Request) string {
	method, path := r.Method, r.URL.Path
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if route := mux.CurrentRoute(r); route != nil {
		if template, err := route.GetPathTemplate(); err == nil {
			path = template
		}
	}
	return method + " " + path
}

// Streaming is Admin for an operation whose body is longer than anybody may wait for.
func (g *Guard) Streaming(s Scope, h CallerHandler) rest.Handler {
	return rest.Limits{Body: -1, Time: -1}.Apply(g.Admin(s, h))
}

// Still admits the caller of a stream again. Its body is not read for that.
func (g *Guard) Still(r *http.Request, s Scope) error {
	t, err := g.Front.Tenant(r)
	if err != nil {
		return err
	}
	offered, err := tenancy.CredentialOf(r)
	if err != nil {
		return err
	}
	caller, err := g.Callers.Prove(r.Context(), t, offered)
	if err == nil {
		caller.From = ClientOf(r)
		err = caller.may(r.Context(), g.Judge, operationOf(r), s)
	}
	return err
}

// Require is Admin for operations that do not ask who calls.
func (g *Guard) Require(scope string, h tenancy.Handler) rest.Handler {
	return g.Admin(Scope(scope), func(w http.ResponseWriter, r *http.Request, by Caller) error { return h(w, r, by.admitted()) })
}

// Platform admits only callers of the platform tenant: its administrators, and its keys that carry the scope.
func (g *Guard) Platform(scope string, h tenancy.Handler) rest.Handler {
	return g.admit(func(r *http.Request, c Caller) error {
		if !c.Tenant.Master {
			return problem.Forbidden()
		}
		return c.may(r.Context(), g.Judge, operationOf(r), Scope(scope))
	}, func(w http.ResponseWriter, r *http.Request, by Caller) error { return h(w, r, by.admitted()) })
}

func (g *Guard) admit(allow func(*http.Request, Caller) error, h CallerHandler) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		rest.Hold(r)
		t, err := g.Front.Tenant(r)
		if err != nil {
			return err
		}
		rest.AddLogAttrs(r.Context(), slog.String("tenant", t.ID.String()))
		offered, err := tenancy.CredentialOf(r)
		if err != nil {
			return err
		}
		caller, err := g.Callers.Prove(r.Context(), t, offered)
		if err != nil {
			return err
		}
		rest.AddLogAttrs(r.Context(), caller.logAttr())
		caller.From = ClientOf(r)
		if err := allow(r, caller); err != nil {
			return err
		}
		return h(w, r, caller)
	}
}

func (c Caller) logAttr() slog.Attr {
	if c.Key != nil {
		return slog.String("api_key", c.Key.ID.String())
	}
	return slog.String("user", c.User.ID.String())
}
