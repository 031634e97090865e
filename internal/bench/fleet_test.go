package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDrawUniformly(t *testing.T) {
	t.Parallel()
	const n, times = 50, 50_000
	seen := count(draw(uniformly, n, times, 1), n)
	for tenant, c := range seen {
		if share := float64(c) * n / times; share < 0.8 || share > 1.2 { // five deviations
			t.Errorf("tenant %d is visited %.2f times as often as it should be", tenant, share)
		}
	}
}

// The most popular of a thousand has the share that the law gives it, the second 2 to the power of -s of that, and the
// same are popular whatever the seed.
func TestDrawZipf(t *testing.T) {
	t.Parallel()
	const n, times = 1000, 200_000
	var sum float64
	for k := 1; k <= n; k++ {
		sum += math.Pow(float64(k), -zipfS)
	}
	byShare := func(seed uint64) (order []int, seen []int) {
		seen = count(draw(zipf, n, times, seed), n)
		for tenant := range seen {
			order = append(order, tenant)
		}
		slices.SortStableFunc(order, func(a, b int) int { return seen[b] - seen[a] })
		return order, seen
	}
	order, seen := byShare(1)
	for rank, want := range []float64{1 / sum, math.Pow(2, -zipfS) / sum, math.Pow(3, -zipfS) / sum} {
		if got := float64(seen[order[rank]]) / times; math.Abs(got/want-1) > 0.05 {
			t.Errorf("the share of rank %d is %.4f, want %.4f", rank+1, got, want)
		}
	}
	if other, _ := byShare(2); !slices.Equal(order[:3], other[:3]) {
		t.Errorf("popular with one seed are %v, with another %v", order[:3], other[:3])
	}
	if slices.Equal(order[:3], []int{0, 1, 2}) {
		t.Error("popular are those that were made first, which all live in one database")
	}
}

func TestDrawOfOneTenant(t *testing.T) {
	t.Parallel()
	for _, how := range []visited{uniformly, zipf} {
		if got := draw(how, 1, 3, 7); !slices.Equal(got, []int{0, 0, 0}) {
			t.Errorf("%s: %v", how, got)
		}
	}
	if slices.Equal(draw(uniformly, 100, 20, 1), draw(uniformly, 100, 20, 2)) {
		t.Error("two rounds visit the same tenants")
	}
}

func count(order []int, n int) []int {
	seen := make([]int, n)
	for _, tenant := range order {
		seen[tenant]++
	}
	return seen
}

func TestCreateFigures(t *testing.T) {
	t.Parallel()
	c := newCreateFigures(4, []time.Duration{40 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond}, 2*time.Second)
	if c != (createFigures{false, 4, 3, 20, 40, 1.5}) {
		t.Errorf("%+v", c)
	}
}

func TestProportionalMemory(t *testing.T) {
	t.Parallel()
	got, err := parsePSS([]byte("55d0 ---p 00000000 00:00 0 [rollup]\nRss:  9000 kB\nPss:  1234 kB\nPss_Dirty:  99 kB\n"))
	if err != nil || got != 1234<<10 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := parsePSS([]byte("Rss: 9000 kB\n")); err == nil {
		t.Error("a text without Pss was read")
	}
}

func TestHeapOfTheMetrics(t *testing.T) {
	t.Parallel()
	text := "# TYPE go_gc_gogc_percent gauge\ngo_gc_gogc_percent 100\ngo_gc_duration_seconds{quantile=\"1\"} 0.01\ngo_gc_duration_seconds_count 17\n" +
		"go_memstats_next_gc_bytes 4.194304e+06\ngo_memstats_next_gc_bytes_other 3\n"
	if h, err := parseHeap(text); err != nil || h != (heap{4 << 20, 100, 17}) {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := parseHeap("go_goroutines 12\n"); err == nil {
		t.Error("other metrics were read")
	}
}

// fleetOf is a report of two sizes; at the larger one everything takes over times as long, on a machine that is twice as
// slow by then.
func fleetOf(over float64) *fleetReport {
	r := &fleetReport{Soak: &soakFigures{Stated: 100 << 20, Most: databaseMemory{Total: 101 << 20}}, Migration: &migrationFigures{Tenants: 10_000, Seconds: 50, Nothing: 2},
		Crashes: []crashFigures{{Databases: 5, Files: 400_000, Seconds: 9}}}
	for _, s := range []sizeOfFleet{
		{Tenants: 1, Memory: serverMemory{Busy: 20 << 20}},
		{Tenants: 1025, Met: metFigures{Tenants: 1024, With: 2048}, Start: timing{P50: 90}, Create: []createFigures{{Creators: 4, P50: 900}, {Creators: 1, Count: 9, P50: 150}, {Ready: true, Creators: 1, Count: 9, P50: 60}},
			Catalogs: []catalogFigures{{Files: 3, Class: 1 << 20}, {Files: 4, Class: 2 << 20}}},
	} {
		factor := 1.0
		if s.Tenants > 1 {
			factor = 2
		}
		for _, action := range actionNames {
			for _, how := range []visited{uniformly, zipf} {
				for _, clients := range []int{1, 4} {
					v := visitFigures{Action: action, Visited: how, Clients: clients, timing: timing{Count: 10, P50: 3 * factor, P99: 9 * factor, FloorP50: factor, FloorP99: 100}}
					if factor > 1 && how == zipf && clients == 4 {
						v.P50, v.P99 = v.P50*over, v.P99*over
					}
					s.Visits = append(s.Visits, v)
				}
			}
		}
		r.Sizes = append(r.Sizes, s)
	}
	return r
}

func TestFleetGoals(t *testing.T) {
	t.Parallel()
	for over, met := range map[float64]bool{1.1: true, 1.3: false} {
		r := fleetOf(over)
		r.judge()
		verdicts := map[string]goal{}
		for _, g := range r.Goals {
			verdicts[g.Name] = g
		}
		for name, want := range map[string]struct {
			got float64
			met bool
		}{
			"login p50, 1025 tenants over 1, at worst":              {over, met},
			"JWKS p99, 1025 tenants over 1, at worst":               {over, met},
			"create a tenant, tables and all, p50 ms":               {150, true},
			"server memory per idle tenant, bytes, of 1024":         {2048, true},
			"create a tenant from a blank schema, p50 ms":           {60, false},
			"Postgres's memory in the soak, MB, of what was stated": {101, false},
			"migrate 10000 tenants, s":                              {50, true},
			"migrate with nothing to do, s":                         {2, false},
			"start after kill -9, s, 5 databases of 400000 files":   {9, true},
		} {
			g, ok := verdicts[name]
			if !ok || math.Abs(g.Got-want.got) > 1e-9 || g.Met != want.met {
				t.Errorf("%s: %+v (there: %v), want %+v", name, g, ok, want)
			}
		}
	}
}

func TestFleetTablesAndPlot(t *testing.T) {
	t.Parallel()
	r := fleetOf(1.5)
	r.judge()
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"create ms p50 / p99, 1 at once", "150 / 0", "login, 4 at once, Zipf", "3.0 / 9.0", "9.0 / 27.0", "7", "SHORT"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the tables", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	c := r.plot()
	if len(c.Panels) != 2 || len(c.Panels[1].Lines) != 6 || len(c.Panels[1].Lines[0].Points) != 2 {
		t.Fatalf("plot: %+v", c)
	}
	for _, l := range c.Panels[0].Lines { // by one client nothing grew, though the machine was twice as slow
		if l.Points[0].Y != 1 || l.Points[1].Y != 1 {
			t.Errorf("%s: %v", l.Name, l.Points)
		}
	}
	(&fleetReport{}).print(&out) // of a run that failed at once
	(&fleetReport{}).judge()
	(&fleetReport{}).plot().SVG()
}

func TestLastNumber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := lastNumber(dir); err == nil {
		t.Error("a folder without migrations has a last one")
	}
	for _, name := range []string{"0009_b.up.sql", "0010_a.up.sql", "0011_c.down.sql"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := lastNumber(dir); err != nil || n != 10 {
		t.Errorf("%d, %v", n, err)
	}
}

// One request in fifty may fail, and is counted; those that are asked to wait are, too.
func TestAskInOrder(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	of := func(failing func(tenant int) bool) action {
		return action{name: "test", once: func(_ context.Context, _ *replica, tenant int) (took, later time.Duration, err error) {
			switch {
			case failing(tenant):
				return 0, 0, broken
			case tenant == 7:
				return 0, time.Nanosecond, nil
			}
			return time.Millisecond, 0, nil
		}}
	}
	order := make([]int, 100)
	for i := range order {
		order[i] = i
	}
	var f fleet
	got, err := f.askInOrder(t.Context(), nil, of(func(n int) bool { return n == 3 || n == 50 }), 4, order)
	if err != nil || len(got.took) != 97 || got.later != 1 || got.failed != 2 {
		t.Errorf("%d took, %d later, %d failed, %v", len(got.took), got.later, got.failed, err)
	}
	if _, err := f.askInOrder(t.Context(), nil, of(func(n int) bool { return n < 3 }), 1, order); !errors.Is(err, broken) {
		t.Errorf("with three of a hundred failed: %v", err)
	}
}

// A session is with one refresh at a time.
func TestSessionsAreTakenOnce(t *testing.T) {
	t.Parallel()
	var s sessions
	one := &session{token: "a"}
	s.give(7, one)
	if s.take(7) != one || s.take(7) != nil || s.take(8) != nil {
		t.Error("a session was taken twice, or from nobody")
	}
}
