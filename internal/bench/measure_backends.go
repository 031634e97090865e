package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// backendsFigures are what the backends of a server's connections take after so many visits to tenants, in bytes.
type backendsFigures struct {
	Visits   int   `json:"visits"`
	Backends int   `json:"backends"`
	Median   int64 `json:"median_bytes"`
	Most     int64 `json:"most_bytes"`
}

// measureBackends visits all tenants again and again, each by a read and a write, and looks at the backends in between. What they
// share with other processes is counted by its part.
func (b *bench) measureBackends(ctx context.Context) error {
	if err := b.restartPostgres(ctx, false); err != nil { // tenants are made in a third of the time
		return err
	}
	err := b.serving(ctx, func(r *replica) error { return b.have(ctx, r, b.backendTenants) })
	if err != nil {
		return err
	}
	return b.serving(ctx, func(r *replica) error {
		for pass := range 8 {
			err := each(ctx, 4, b.backendTenants, func(i int) error { return b.visit(ctx, r, &b.tenants[i]) })
			if err != nil {
				return err
			}
			f, err := b.backends()
			if err != nil {
				return err
			}
			f.Visits = (pass + 1) * b.backendTenants
			b.report.Backends = append(b.report.Backends, f)
		}
		return nil
	})
}

// visit reads a list and asks for a mail, which writes.
func (b *bench) visit(ctx context.Context, r *replica, t *tenant) error {
	if err := ask(ctx, call{method: http.MethodGet, url: r.url + "/v1/users?limit=1", host: t.host, key: t.key, once: "again"}, nil, http.StatusOK, nil); err != nil {
		return err
	}
	a, err := call{method: http.MethodPost, url: r.url + "/v1/auth/request-password-reset", host: t.host,
		body: fmt.Appendf(nil, `{"email":"somebody@%s.example"}`, t.slug)}.do(ctx)
	if err == nil && a.status != http.StatusAccepted && a.status != http.StatusTooManyRequests { // counted, and so written down, all the same
		err = fmt.Errorf("a mail was asked for and the answer is %d: %s", a.status, a.body)
	}
	return err
}

// backends looks at the processes that serve clients. One that ends meanwhile is left out.
func (b *bench) backends() (f backendsFigures, err error) {
	children, err := childrenOf(b.postgres.PID())
	if err != nil {
		return f, err
	}
	var all []int64
	for _, pid := range children {
		if bytes, err := proportionalMemoryOf(pid); err == nil && servesClient(pid) {
			all = append(all, bytes)
		}
	}
	if f.Backends = len(all); f.Backends > 0 {
		slices.Sort(all)
		f.Median, f.Most = all[len(all)/2], all[len(all)-1]
	}
	return f, nil
}

func (r *report) backendsTable() (t table) {
	t.row("visits to tenants", "backends", "median MB", "greatest MB")
	for _, f := range r.Backends {
		t.row(strconv.Itoa(f.Visits), strconv.Itoa(f.Backends), figure(float64(f.Median)/(1<<20)), figure(float64(f.Most)/(1<<20)))
	}
	return t
}
