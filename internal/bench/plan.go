package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"
)

// plan is how much of everything.
type plan struct {
	starts, tenants, domains int
	accounts                 int   // tenants, with a user each, that the logins of clients are spread over
	clients                  []int // at once
	rounds                   int
	sizes                    []int // tenants
	sizeRounds               int
	login, hash              time.Duration // of a round

	factorAccounts int   // users with an app and a key
	factorClients  []int // at once
	factorRounds   int
	abandoned      int // challenges

	refreshTenants, refreshes, refreshRounds int   // refreshes of a round
	refreshClients                           []int // at once, each with a session

	migrated int   // tenants of one database
	workers  []int // at once

	imports []int // lines
	calm    int   // logins of a person, in quiet and under a spray

	backendTenants int

	fairOthers, fairRounds int
	fairFor                time.Duration // of a round
}

var full = plan{
	starts: 12, tenants: 24, domains: 24,
	accounts: 32, clients: []int{1, 4, 64}, rounds: 7,
	sizes: []int{1, 100, 1000}, sizeRounds: 6,
	login: 2500 * time.Millisecond, hash: time.Second,
	factorAccounts: 240, factorClients: []int{1, 16}, factorRounds: 5, abandoned: 100_000,
	refreshTenants: 8, refreshes: 800, refreshRounds: 7, refreshClients: []int{1, 4, 16},
	migrated: 1000, workers: []int{1, 4, 8},
	imports: []int{10_000, 100_000},
	calm:    200,

	backendTenants: 1000,
	fairOthers:     3, fairRounds: 3, fairFor: 8 * time.Second,
}

var small = plan{
	starts: 2, tenants: 3, domains: 3,
	accounts: 6, clients: []int{1, 4, 64}, rounds: 2,
	sizes: []int{1, 10, 40}, sizeRounds: 2,
	login: time.Second, hash: 500 * time.Millisecond,
	factorAccounts: 60, factorClients: []int{1, 16}, factorRounds: 2, abandoned: 2000,
	refreshTenants: 4, refreshes: 200, refreshRounds: 2, refreshClients: []int{1, 4, 16},
	migrated: 40, workers: []int{1, 4, 8},
	imports: []int{1000, 5000},
	calm:    30,

	backendTenants: 40,
	fairOthers:     3, fairRounds: 1, fairFor: 4 * time.Second,
}

// bench is one run.
type bench struct {
	*stack
	plan
	tenants []tenant
	report  report
}

// measure takes the figures one after the other. The installation grows as it goes.
func (b *bench) measure(ctx context.Context, only string) (err error) {
	if b.report.Machine, err = b.describe(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"starts", b.measureStarts},
		{"sizes", func(ctx context.Context) error { return b.measureSizes(ctx, b.sizes[:1]) }},
		{"tenants", b.measureTenants},
		{"domains", b.measureDomains},
		{"logins", b.measureLogins},
		{"factors", b.measureFactors},
		{"refresh", b.measureRefreshes},
		{"import", b.measureImports},
		{"policies", b.measurePolicies},
		{"pages", b.measurePages},
		{"spray", b.measureSpray},
		{"fair", b.measureFair},
		{"sizes", func(ctx context.Context) error { return b.measureSizes(ctx, b.sizes[1:]) }},
		{"backends", b.measureBackends},
		{"migrate", b.measureMigrations}, // last: it leaves the tenants at another version than the program's
	} {
		if only != "" && only != part.name {
			continue
		}
		began := time.Now()
		if err := part.measure(ctx); err != nil {
			return err
		}
		say("%s: %s", part.name, time.Since(began).Round(time.Second))
	}
	return nil
}

func (s *stack) describe(ctx context.Context) (m machineFacts, err error) {
	m = machineFacts{Processor: processor(), Cores: runtime.NumCPU(), Go: runtime.Version(), When: time.Now().UTC().Truncate(time.Second)}
	if m.Postgres, err = s.version(ctx); err != nil {
		return m, err
	}
	var health struct {
		Version string `json:"version"`
	}
	err = ask(ctx, call{method: http.MethodGet, url: s.vault.Address + "/v1/sys/health"}, nil, http.StatusOK, &health)
	m.Vault = health.Version
	return m, err
}

// have makes tenants until there are n.
func (b *bench) have(ctx context.Context, r *replica, n int) (err error) {
	b.tenants, err = b.grow(ctx, r, b.tenants, n)
	return err
}

// serving runs do on a fresh replica.
func (s *stack) serving(ctx context.Context, do func(*replica) error) (err error) {
	r, err := s.serve(ctx, s.port)
	if err != nil {
		return err
	}
	defer func() { err = joinUnless(err, r.stop()) }()
	if err = do(r); err != nil {
		err = fmt.Errorf("%w%s", err, r.complaint())
	}
	return err
}

// joinUnless is err or, without one, the other.
func joinUnless(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
