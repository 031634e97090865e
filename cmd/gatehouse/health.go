package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// health answers load balancers. Liveness asks nothing of anybody: a database that is down is no reason to restart us.
type health struct {
	checks   map[string]func(context.Context) error
	draining atomic.Bool
}

func newHealth(p *platform) *health {
	return &health{checks: map[string]func(context.Context) error{"postgres": p.db.Ready, "custody": p.custodian.Ready}}
}

// Mount adds both, on every host: a prober knows our address and no tenant.
func (h *health) Mount(r *mux.Router) {
	r.Handle("/healthz", rest.Methods{http.MethodGet: func(w http.ResponseWriter, _ *http.Request) error {
		return rest.Respond(w, http.StatusOK, map[string]string{"status": "ok"})
	}})
	r.Handle("/readyz", rest.Methods{http.MethodGet: h.ready})
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) error {
	state, ready := h.state(r.Context())
	if !ready {
		e := problem.Unavailable(2*time.Second, nil)
		for name, s := range state {
			e = e.Detail(name, s)
		}
		return e
	}
	state["status"] = "ready"
	return rest.Respond(w, http.StatusOK, state)
}

// state asks all dependencies at once, so that two that hang cost no more than one.
func (h *health) state(ctx context.Context) (map[string]string, bool) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	state, ready := map[string]string{}, true
	for name, check := range h.checks {
		wg.Go(func() {
			said := "ok"
			if check(ctx) != nil {
				said = "unavailable" // why is in the log of whoever needed it; a prober is anybody
			}
			mu.Lock()
			defer mu.Unlock()
			state[name] = said
			ready = ready && said == "ok"
		})
	}
	wg.Wait()
	if h.draining.Load() {
		state["server"], ready = "draining", false
	}
	return state, ready
}
