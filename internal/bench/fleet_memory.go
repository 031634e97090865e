package main

import (
	"cmp"
	"context"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// serverMemory is what a server holds, in bytes.
type serverMemory struct {
	Idle int64 `json:"idle_bytes"` // just started
	Busy int64 `json:"busy_bytes"` // after the same number of requests at each size
}

func (m *serverMemory) read(r *replica) (err error) {
	m.Busy, err = memoryOf(r.pid())
	return err
}

// startOften starts the server anew a few times.
func (f *fleet) startOften(ctx context.Context, s *sizeOfFleet) error {
	var ready, bare []time.Duration
	for range f.starts {
		began := time.Now()
		if err := exec.CommandContext(ctx, f.binary, "help").Run(); err != nil {
			return err
		}
		bare = append(bare, time.Since(began))
		err := f.serving(ctx, func(r *replica) (err error) {
			ready = append(ready, r.started)
			wait(ctx, 200*time.Millisecond)
			s.Memory.Idle, err = memoryOf(r.pid())
			return err
		})
		if err != nil {
			return err
		}
	}
	s.Start = newTiming(ready, bare)
	return nil
}

// databaseMemory is what the processes of all clusters take at one time, in bytes. What they share is counted once.
type databaseMemory struct {
	Second   int   `json:"second,omitempty"`
	Backends int   `json:"backends"`
	Median   int64 `json:"backend_median_bytes"`
	Most     int64 `json:"backend_most_bytes"`
	Total    int64 `json:"total_bytes"`
}

// databaseMemory looks at every process. One that ends meanwhile is left out.
func (f *fleet) databaseMemory() (m databaseMemory, err error) {
	var backends []int64
	for _, c := range f.clusters() {
		children, err := childrenOf(c.PID())
		if err != nil {
			return m, err
		}
		for _, pid := range append(children, c.PID()) {
			bytes, err := proportionalMemoryOf(pid)
			if err != nil {
				continue
			}
			m.Total += bytes
			if servesClient(pid) {
				backends = append(backends, bytes)
			}
		}
	}
	m.Backends = len(backends)
	if len(backends) > 0 {
		slices.Sort(backends)
		m.Median, m.Most = backends[len(backends)/2], backends[len(backends)-1]
	}
	return m, nil
}

// The figure stated before a soak. A backend that writes in a database of a thousand tenants was seen to grow to 70 MB;
// the shared memory of a cluster is what Postgres is given by default and what it keeps beside it.
const (
	statedPerBackend = 80 << 20
	statedShared     = 180 << 20
)

// stated is how much memory Postgres takes at most: connections times a bound for each, and what a cluster shares.
func stated(connections, clusters int) int64 {
	return int64(connections)*statedPerBackend + int64(clusters)*statedShared
}

// connections is how many one server opens at most: of the serving role, and beside them, as docs/configuration.md has it,
// one for announcements, and for each database two to provision and four for mails.
func (f *fleet) connections() int {
	databases := 1 + len(f.places)
	serving, err := strconv.Atoi(f.setting("DATABASE_CONNECTIONS"))
	if err != nil {
		serving = 10
	}
	return serving + 1 + 6*databases
}

// soakFigures are Postgres's memory while everything is visited.
type soakFigures struct {
	Seconds     int              `json:"seconds"`
	Requests    int64            `json:"requests"`
	Connections int              `json:"connections_at_most"`
	Stated      int64            `json:"stated_bytes"`
	Most        databaseMemory   `json:"most"` // each the most of any sample
	Last        databaseMemory   `json:"last"`
	Samples     []databaseMemory `json:"samples"`
}

// measureSoak visits tenants uniformly, which is the worst for what a backend remembers of them, by logins and refreshes,
// and watches. Connections are retired after a quarter of an hour, so memory stops growing by then at the latest.
func (f *fleet) measureSoak(ctx context.Context) error {
	s := &soakFigures{Connections: f.connections()}
	s.Stated = stated(s.Connections, len(f.clusters()))
	say("soak: %d connections at most, so Postgres stays under %d MB", s.Connections, s.Stated>>20)
	err := f.serving(ctx, func(r *replica) error {
		began := time.Now()
		var wg sync.WaitGroup
		var failed error
		wg.Go(func() { failed = f.soakUntil(ctx, r, began.Add(f.soak), &s.Requests) })
		var watching error
		for left := f.soak; left > 0 && watching == nil && ctx.Err() == nil; left = f.soak - time.Since(began) {
			wait(ctx, min(left, max(time.Second, f.soak/60)))
			var now databaseMemory
			now, watching = f.databaseMemory()
			now.Second = int(time.Since(began).Seconds())
			s.Samples = append(s.Samples, now)
		}
		wg.Wait()
		s.Seconds = int(time.Since(began).Seconds())
		return cmp.Or(failed, watching, ctx.Err())
	})
	for _, m := range s.Samples {
		s.Last = m
		s.Most = databaseMemory{Backends: max(s.Most.Backends, m.Backends), Median: max(s.Most.Median, m.Median),
			Most: max(s.Most.Most, m.Most), Total: max(s.Most.Total, m.Total)}
	}
	f.report.Soak = s
	return err
}

// soakers are as many clients as use most of the connections.
const soakers = 16

// soakUntil has clients refresh, and sign in at every eighth turn.
func (f *fleet) soakUntil(ctx context.Context, r *replica, end time.Time, requests *int64) error {
	sign, refresh := action{name: "login", once: f.signInAt}, action{name: "refresh", once: f.refreshAt}
	for turn := uint64(0); time.Now().Before(end); turn++ {
		a := refresh
		if turn%8 == 0 {
			a = sign
		}
		const times = 10 * soakers
		if _, err := f.askInOrder(ctx, r, a, soakers, draw(uniformly, len(f.tenants), times, turn)); err != nil {
			return err
		}
		atomic.AddInt64(requests, times)
	}
	return nil
}
