package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// policyFigures are of what rules cost: a decision with so many, which all have to be evaluated, and a rehearsal.
type policyFigures struct {
	Decisions  []decisionFigures `json:"decisions"`
	HashMicros float64           `json:"hash_us"` // of CPU: what a login cannot do without
	Rehearsal  rehearsalFigures  `json:"rehearsal"`
}

type decisionFigures struct {
	What    string  `json:"what"`
	Micros  float64 `json:"us"`
	Allocs  float64 `json:"allocations"`
	Bytes   float64 `json:"bytes"`
	OfLogin float64 `json:"share_of_hash"`
}

type rehearsalFigures struct {
	Logins  int     `json:"logins"`
	Seconds float64 `json:"seconds"`
}

// measurePolicies has the package that decides measure its decisions itself, in a process with nothing beside: this program knows the service
// from outside. The past is put to a draft by the API.
func (b *bench) measurePolicies(ctx context.Context) error {
	f := &policyFigures{}
	b.report.Policies = f
	f.HashMicros = 1000 * millis(averageOf(50, func() {
		argon2.IDKey([]byte("a long enough passphrase"), make([]byte, 16), hashTime, hashMemory, hashThreads, hashLength)
	}))
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem", "./identity/policy").Output()
	if err != nil {
		return fmt.Errorf("go test: %w: %s", err, out)
	}
	if f.Decisions, err = decisions(string(out), f.HashMicros); err != nil {
		return err
	}
	return b.serving(ctx, func(r *replica) error { return b.rehearse(ctx, r, &f.Rehearsal) })
}

// decisions reads what go test says: name, repetitions, and figures before their units.
func decisions(out string, hash float64) (all []decisionFigures, err error) {
	for line := range strings.Lines(out) {
		cells := strings.Fields(line)
		if len(cells) != 8 || !strings.HasPrefix(cells[0], "Benchmark") {
			continue
		}
		var d decisionFigures
		d.What, _, _ = strings.Cut(strings.TrimPrefix(cells[0], "Benchmark"), "-")
		for i, into := range map[int]*float64{2: &d.Micros, 4: &d.Bytes, 6: &d.Allocs} {
			if *into, err = strconv.ParseFloat(cells[i], 64); err != nil {
				return nil, err
			}
		}
		d.Micros /= 1000
		d.OfLogin = d.Micros / hash
		all = append(all, d)
	}
	if len(all) == 0 {
		return nil, errors.New("go test measured no decisions")
	}
	return all, nil
}

func averageOf(times int, do func()) time.Duration {
	began := time.Now()
	for range times {
		do()
	}
	return time.Since(began) / time.Duration(times)
}

// rehearse puts 100,000 logins of a thousand users in thirty days to a draft of two rules, one of which asks how the user stands.
func (b *bench) rehearse(ctx context.Context, r *replica, f *rehearsalFigures) error {
	t, _, err := b.newTenant(ctx, r, 8000, "")
	if err != nil {
		return err
	}
	const logins = 100_000
	if err := b.query(ctx, func(conn connection) error { return inventPast(ctx, conn, t.schema(), logins) }); err != nil {
		return err
	}
	const draft = `forbid (principal, action == Action::"login", resource) unless { context.ip.isInRange(ip("10.0.0.0/17")) };
forbid (principal, action == Action::"login", resource) unless { context.known_device || context.acr == "aal2" };`
	var said struct {
		History struct {
			Logins   int  `json:"logins"`
			Complete bool `json:"complete"`
		} `json:"history"`
	}
	began := time.Now()
	err = ask(ctx, call{method: http.MethodPost, url: r.url + "/v1/policies/simulate", host: t.host, key: t.key},
		map[string]any{"cedar_policy_set": draft, "history": map[string]int{"days": 31}}, http.StatusOK, &said)
	f.Logins, f.Seconds = said.History.Logins, time.Since(began).Seconds()
	if err == nil && (!said.History.Complete || f.Logins != logins) {
		err = fmt.Errorf("%d logins of %d were rehearsed", f.Logins, logins)
	}
	return err
}

// mostPolicy is how many hundredths of a login's CPU ten rules may take.
const mostPolicy = 1.0

func (r *report) judgePolicies() {
	if r.Policies == nil {
		return
	}
	for _, d := range r.Policies.Decisions {
		if d.What == "Decide/10" {
			r.atMost("a decision by ten rules, % of a password hash", mostPolicy, 100*d.OfLogin)
		}
	}
}

func (r *report) policyTable() (t table) {
	if r.Policies == nil {
		return nil
	}
	t.row("decisions, with so many rules", "us", "allocations", "bytes", "of a hash")
	for _, d := range r.Policies.Decisions {
		t.row(d.What, fmt.Sprintf("%.2f", d.Micros), fmt.Sprintf("%.0f", d.Allocs), fmt.Sprintf("%.0f", d.Bytes), fmt.Sprintf("%.3f %%", 100*d.OfLogin))
	}
	t.row("floor: one bare hash", figure(r.Policies.HashMicros))
	t.row(fmt.Sprintf("rehearsal of %d logins, s", r.Policies.Rehearsal.Logins), figure(r.Policies.Rehearsal.Seconds))
	return t
}
