package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// goal is a figure that was promised.
type goal struct {
	Name  string  `json:"name"`
	Most  float64 `json:"at_most,omitempty"` // one of the two
	Least float64 `json:"at_least,omitempty"`
	Got   float64 `json:"got"`
	Met   bool    `json:"met"`
}

func (r *report) atMost(name string, most, got float64) {
	r.Goals = append(r.Goals, goal{Name: name, Most: most, Got: got, Met: got <= most})
}

func (r *report) atLeast(name string, least, got float64) {
	r.Goals = append(r.Goals, goal{Name: name, Least: least, Got: got, Met: got >= least})
}

// The promises: what a login costs beside its password hash, that a thousand tenants cost no more than one,
// and that guessing at some accounts leaves the others alone.
const (
	mostServer = 1.05
	mostAll    = 1.15
	mostGrowth = 1.10
	mostSpray  = 2.0 // p99 of people's logins over quiet
)

func (r *report) judge() {
	for _, f := range r.Logins {
		r.atMost(fmt.Sprintf("server's CPU over a hash, %d clients", f.Clients), mostServer, f.ServerOver[0])
		r.atMost(fmt.Sprintf("all CPU over a hash, %d clients", f.Clients), mostAll, f.AllOver[0])
	}
	if s := r.Spray; s != nil {
		r.atMost("p99 of a person's logins, under a spray over quiet", mostSpray, s.Sprayed.P99/s.Quiet.P99)
		r.atMost("p99 of a person's logins, once its networks have to wait", mostSpray, s.Settled.P99/s.Quiet.P99)
	}
	for i := 1; i < len(r.Sizes); i++ {
		one, many := r.Sizes[0], r.Sizes[i]
		r.atMost(fmt.Sprintf("p50 over a hash's, %d tenants over %d", many.Tenants, one.Tenants), mostGrowth, many.PerHash/one.PerHash)
		if one.VisitedP50 > 0 {
			r.atMost(fmt.Sprintf("p50, %d tenants visited over %d", many.Tenants, one.Tenants), mostGrowth, many.VisitedP50/one.VisitedP50)
		}
	}
	r.judgeFactors()
	r.judgeImports()
	r.judgeFair()
	r.judgePolicies()
	r.judgePages()
	r.judgeMigrations()
}

func (r *report) sprayTable() (t table) {
	if r.Spray == nil {
		return nil
	}
	t.row("one person's logins, ms", "p50", "p99", "times")
	for _, x := range []struct {
		name string
		timing
	}{{"in quiet", r.Spray.Quiet}, {"under a spray on other accounts", r.Spray.Sprayed}, {"once its networks have to wait", r.Spray.Settled}} {
		t.row(x.name, figure(x.P50), figure(x.P99), strconv.Itoa(x.Count))
	}
	t.row("guesses looked at, turned away", strconv.FormatInt(r.Spray.Guesses, 10), strconv.FormatInt(r.Spray.Turned, 10))
	return t
}

// print writes the figures for people.
func (r *report) print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "\ngatehouse on %d cores (%s), %s, Postgres %s, Vault %s, %s\n", m.Cores, m.Processor, m.Go, m.Postgres, m.Vault,
		m.When.Format("2006-01-02 15:04 UTC"))
	for _, t := range []table{r.loginTable(), r.timeTable(), r.memoryTable(), r.sizeTable(), r.sprayTable(), r.fairTable(), r.backendsTable(), r.factorTable(), r.abandonedTable(), r.refreshTable(), r.importTable(), r.policyTable(), r.pageTable(), r.migrateTable(), goalTable(r.Goals)} {
		t.print(out)
	}
	return nil
}

// table is rows of cells; the first cell of a row is its name.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// print writes names to the left and figures to the right.
func (t table) print(out io.Writer) {
	if len(t) < 2 { // nothing but the heading
		return
	}
	width := map[int]int{}
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintln(out)
	for _, row := range t {
		line := fmt.Sprintf("%-*s", width[0], row[0])
		for i, cell := range row[1:] {
			line += fmt.Sprintf("  %*s", width[i+1], cell)
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}

func (r *report) loginTable() (t table) {
	row := func(name, format string, cell func(loginFigures) []any) {
		cells := []string{name}
		for _, f := range r.Logins {
			cells = append(cells, fmt.Sprintf(format, cell(f)...))
		}
		t.row(cells...)
	}
	if len(r.Logins) == 0 {
		return nil
	}
	row("password logins: clients at once", "%d", func(f loginFigures) []any { return []any{f.Clients} })
	row("logins per second", "%.1f", func(f loginFigures) []any { return []any{f.PerSecond} })
	row("  floor: bare hashes per second", "%.1f", func(f loginFigures) []any { return []any{f.HashesPerSec} })
	row("p50 ms", "%.1f", func(f loginFigures) []any { return []any{f.P50} })
	row("p99 ms", "%.1f", func(f loginFigures) []any { return []any{f.P99} })
	row("  floor: bare hash p50 ms", "%.1f", func(f loginFigures) []any { return []any{f.HashP50} })
	row("turned away with 503", "%d of %d", func(f loginFigures) []any { return []any{f.Shed, f.Shed + f.Count} })
	row("CPU ms per login, server", "%.2f", func(f loginFigures) []any { return []any{f.CPU.Server} })
	row("  Postgres", "%.2f", func(f loginFigures) []any { return []any{f.CPU.Postgres} })
	row("  Vault", "%.2f", func(f loginFigures) []any { return []any{f.CPU.Vault} })
	row("  load generator, counted apart", "%.2f", func(f loginFigures) []any { return []any{f.CPU.Load} })
	row("  floor: one bare hash", "%.2f", func(f loginFigures) []any { return []any{f.CPU.Hash} })
	row("server over hash", "%.3f", func(f loginFigures) []any { return []any{f.ServerOver[0]} })
	row("  least and greatest of a round", "%.2f-%.2f", func(f loginFigures) []any { return []any{f.ServerOver[1], f.ServerOver[2]} })
	row("all over hash", "%.3f", func(f loginFigures) []any { return []any{f.AllOver[0]} })
	row("  least and greatest of a round", "%.2f-%.2f", func(f loginFigures) []any { return []any{f.AllOver[1], f.AllOver[2]} })
	return t
}

func (r *report) timeTable() (t table) {
	t.row("milliseconds", "p50", "p99", "floor p50", "floor p99", "times")
	for _, x := range []struct {
		name string
		timing
	}{{"exec to ready", r.Ready}, {"create a tenant", r.NewTenant}, {"new domain on another replica", r.NewDomain}} {
		if x.Count > 0 {
			t.row(x.name, figure(x.P50), figure(x.P99), figure(x.FloorP50), figure(x.FloorP99), strconv.Itoa(x.Count))
		}
	}
	return t
}

func (r *report) memoryTable() (t table) {
	t.row("resident memory", "MB")
	for _, x := range []struct {
		name  string
		bytes int64
	}{{"server, idle", r.Memory.Idle}, {"server, at most", r.Memory.Busy}, {"  floor: bare hashes, one per core", r.Memory.Hashes}} {
		if x.bytes > 0 {
			t.row(x.name, strconv.FormatInt(x.bytes>>20, 10))
		}
	}
	return t
}

func (r *report) sizeTable() (t table) {
	t.row("tenants", "login p50 ms", "hash p50 ms", "login/hash", "first login p50", "visited in turn p50", "CPU: server", "Postgres", "Vault")
	for _, s := range r.Sizes {
		t.row(strconv.Itoa(s.Tenants), figure(s.P50), figure(s.HashP50), fmt.Sprintf("%.3f", s.PerHash), figure(s.First), figure(s.VisitedP50),
			fmt.Sprintf("%.2f", s.Server), fmt.Sprintf("%.2f", s.Postgres), fmt.Sprintf("%.2f", s.Vault))
	}
	return t
}

func goalTable(goals []goal) (t table) {
	t.row("goal", "wanted", "is", "")
	for _, g := range goals {
		verdict := "met"
		if !g.Met {
			verdict = "SHORT"
		}
		wanted := fmt.Sprintf("at most %.2f", g.Most)
		if g.Least > 0 {
			wanted = fmt.Sprintf("at least %.2f", g.Least)
		}
		t.row(g.Name, wanted, fmt.Sprintf("%.3f", g.Got), verdict)
	}
	return t
}

func figure(ms float64) string { return fmt.Sprintf("%.1f", ms) }
