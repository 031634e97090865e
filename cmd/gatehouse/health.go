package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// health answers load balancers. Liveness asks nothing of anybody: a database that is down is no reason to restart us.
//
// Readiness asks Postgres and custody, and anybody may ask it: so one check runs at a time and its result is kept for a
// second, or a flood of probes would take the connections that logins need.
type health struct {
	checks   map[string]func(context.Context) error
	mail     string // ok, or waiting where no mail server is set: that is told, and no reason not to serve
	draining atomic.Bool

	mu      sync.Mutex
	checked time.Time
	state   map[string]string
	ready   bool
}

const keepReadiness = time.Second

func newHealth(p *platform) *health {
	mail := "ok"
	if !p.config.Mail.configured() {
		mail = "waiting"
	}
	return &health{mail: mail, checks: map[string]func(context.Context) error{"postgres": p.db.Ready, "custody": p.custodian.Ready}}
}

// Mount adds both, on every host: a prober knows our address and no tenant.
func (h *health) Mount(r *mux.Router) {
	r.Handle("/healthz", rest.Methods{http.MethodGet: func(w http.ResponseWriter, _ *http.Request) error {
		return rest.Respond(w, http.StatusOK, map[string]string{"status": "ok"})
	}})
	r.Handle("/readyz", rest.Methods{http.MethodGet: h.answer})
}

// answer does not return its 503 as an error: not being ready is an answer and no failed request, and why is logged by
// whoever found out.
func (h *health) answer(w http.ResponseWriter, r *http.Request) error {
	state, ready := h.current(r.Context())
	if h.draining.Load() {
		state["server"], ready = "draining", false
	}
	if !ready {
		e := problem.Unavailable(2*time.Second, nil)
		for name, s := range state {
			e = e.Detail(name, s)
		}
		problem.Write(w, rest.RequestID(r.Context()), e)
		return nil
	}
	state["status"], state["mail"] = "ready", h.mail
	return rest.Respond(w, http.StatusOK, state)
}

// current is the state of a second ago or, if that is older, of now.
func (h *health) current(ctx context.Context) (map[string]string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.checked) > keepReadiness {
		// A prober that hangs up must not make us look away for everybody else.
		h.state, h.ready = h.check(context.WithoutCancel(ctx))
		h.checked = time.Now()
	}
	return maps.Clone(h.state), h.ready
}

// check asks all dependencies at once, so that two that hang cost no more than one.
func (h *health) check(ctx context.Context) (map[string]string, bool) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	state, ready := map[string]string{}, true
	for name, check := range h.checks {
		wg.Go(func() {
			said := "ok"
			if err := check(ctx); err != nil {
				said = "unavailable" // a prober is anybody; why is for the log
				rest.Log(ctx).LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("dependency", name), slog.Any("error", err))
			}
			mu.Lock()
			defer mu.Unlock()
			state[name] = said
			ready = ready && said == "ok"
		})
	}
	wg.Wait()
	return state, ready
}
