package main

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// print writes the figures for people.
func (r *fleetReport) print(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "\ngatehouse on %d cores (%s), %s, Postgres %s, Vault %s, %s, in %s\n", m.Cores, m.Processor, m.Go, m.Postgres, m.Vault,
		m.When.Format("2006-01-02 15:04 UTC"), time.Duration(r.Seconds)*time.Second)
	for _, t := range []table{r.sizesTable(), r.visitsTable(), r.catalogTable(), r.soakTable(), r.migrationTable(), goalTable(r.Goals)} {
		t.print(out)
	}
}

// bySize adds a row with a cell for each size.
func (r *fleetReport) bySize(t *table, name string, cell func(sizeOfFleet) string) {
	cells := []string{name}
	for _, s := range r.Sizes {
		cells = append(cells, cell(s))
	}
	t.row(cells...)
}

func (r *fleetReport) heading(t *table, name string) {
	r.bySize(t, name, func(s sizeOfFleet) string { return strconv.Itoa(s.Tenants) })
}

func (r *fleetReport) sizesTable() (t table) {
	if len(r.Sizes) == 0 {
		return nil
	}
	r.heading(&t, "tenants")
	r.bySize(&t, "databases, clusters", func(s sizeOfFleet) string { return fmt.Sprintf("%d, %d", s.Databases, s.Clusters) })
	for _, ready := range []bool{false, true} {
		for _, creators := range []int{1, severalCreators} {
			name := fmt.Sprintf("create ms p50 / p99, %d at once", creators)
			if ready {
				name = fmt.Sprintf("  from blank schemas, %d at once", creators)
			}
			r.bySize(&t, name, func(s sizeOfFleet) string {
				c := s.create(ready, creators)
				return ifAny(c.Count, "%.0f / %.0f", c.P50, c.P99)
			})
			r.bySize(&t, "    per second", func(s sizeOfFleet) string {
				c := s.create(ready, creators)
				return ifAny(c.Count, "%.1f", c.PerSecond)
			})
		}
	}
	r.bySize(&t, "exec to ready, ms p50 / p99", func(s sizeOfFleet) string { return fmt.Sprintf("%.0f / %.0f", s.Start.P50, s.Start.P99) })
	r.bySize(&t, "  floor: to do nothing", func(s sizeOfFleet) string { return fmt.Sprintf("%.0f / %.0f", s.Start.FloorP50, s.Start.FloorP99) })
	r.bySize(&t, "server MB, started", func(s sizeOfFleet) string { return megabytes(s.Memory.Idle) })
	r.bySize(&t, "  after the requests", func(s sizeOfFleet) string { return megabytes(s.Memory.Busy) })
	r.bySize(&t, "  bytes for each tenant met", func(s sizeOfFleet) string { return ifAny(s.Met.Tenants, "%.0f", s.Met.Kept) })
	r.bySize(&t, "  with headroom for garbage", func(s sizeOfFleet) string { return ifAny(s.Met.Tenants, "%.0f", s.Met.With) })
	r.bySize(&t, "Postgres backend MB, median", func(s sizeOfFleet) string { return megabytes(s.Postgres.Median) })
	r.bySize(&t, "  the greatest", func(s sizeOfFleet) string { return megabytes(s.Postgres.Most) })
	r.bySize(&t, "  all of Postgres", func(s sizeOfFleet) string { return megabytes(s.Postgres.Total) })
	return t
}

func (r *fleetReport) visitsTable() (t table) {
	if len(r.Sizes) == 0 {
		return nil
	}
	r.heading(&t, "ms p50 / p99 at so many tenants")
	pair := func(p50, p99 float64) string {
		if p50 < 1 {
			return fmt.Sprintf("%.2f / %.2f", p50, p99)
		}
		return fmt.Sprintf("%.1f / %.1f", p50, p99)
	}
	for _, action := range actionNames {
		for _, clients := range []int{1, 4} {
			for _, how := range []visited{uniformly, zipf} {
				name := fmt.Sprintf("%s, %d at once, %s", action, clients, how)
				r.bySize(&t, name, func(s sizeOfFleet) string { v := s.visits(action, how, clients); return pair(v.P50, v.P99) })
			}
			r.bySize(&t, "  floor", func(s sizeOfFleet) string { v := s.visits(action, zipf, clients); return pair(v.FloorP50, v.FloorP99) })
		}
	}
	r.bySize(&t, "first login at a tenant, 4 at once, p50", func(s sizeOfFleet) string { return figure(s.First) })
	r.bySize(&t, "asked to wait, failed, of all", func(s sizeOfFleet) string {
		later, failed, all := 0, 0, 0
		for _, v := range s.Visits {
			later, failed, all = later+v.Later, failed+v.Failed, all+v.Later+v.Failed+v.Count
		}
		return fmt.Sprintf("%d, %d of %d", later, failed, all)
	})
	return t
}

func (r *fleetReport) catalogTable() (t table) {
	if len(r.Sizes) == 0 {
		return nil
	}
	r.heading(&t, "catalogs, MB, at so many tenants")
	for _, x := range []struct {
		name  string
		bytes func(catalogFigures) int64
	}{
		{"all catalogs of all databases", func(c catalogFigures) int64 { return c.Catalogs }},
		{"  pg_attribute", func(c catalogFigures) int64 { return c.Attribute }},
		{"  pg_class", func(c catalogFigures) int64 { return c.Class }},
		{"  pg_depend", func(c catalogFigures) int64 { return c.Depend }},
		{"  pg_index", func(c catalogFigures) int64 { return c.Index }},
		{"  pg_statistic", func(c catalogFigures) int64 { return c.Statistic }},
		{"databases, with data", func(c catalogFigures) int64 { return c.Whole }},
	} {
		r.bySize(&t, x.name, func(s sizeOfFleet) string { return megabytes(x.bytes(s.catalog())) })
	}
	r.bySize(&t, "relations", func(s sizeOfFleet) string { return strconv.FormatInt(s.catalog().Relations, 10) })
	r.bySize(&t, "files", func(s sizeOfFleet) string { return strconv.FormatInt(s.catalog().Files, 10) })
	return t
}

func (r *fleetReport) soakTable() (t table) {
	s := r.Soak
	if s == nil {
		return nil
	}
	t.row(fmt.Sprintf("Postgres in %s under load, MB", time.Duration(s.Seconds)*time.Second), "at most", "at the end", "stated before")
	t.row("all of it", megabytes(s.Most.Total), megabytes(s.Last.Total), megabytes(s.Stated))
	t.row("the greatest backend", megabytes(s.Most.Most), megabytes(s.Last.Most), megabytes(statedPerBackend))
	t.row("backends", strconv.Itoa(s.Most.Backends), strconv.Itoa(s.Last.Backends), strconv.Itoa(s.Connections))
	return t
}

func (r *fleetReport) migrationTable() (t table) {
	t.row("seconds", "")
	if m := r.Migration; m != nil {
		t.row(fmt.Sprintf("migrate %d tenants: a column and an index", m.Tenants), fmt.Sprintf("%.2f", m.Seconds))
		t.row("  each", fmt.Sprintf("%.4f", m.PerTenant/1000))
		t.row("  again, with nothing to do", fmt.Sprintf("%.2f", m.Nothing))
	}
	for _, c := range r.Crashes {
		t.row(fmt.Sprintf("start after kill -9: %d databases, %d files", c.Databases, c.Files), fmt.Sprintf("%.2f", c.Seconds))
	}
	return t
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

// ifAny is what was measured, or a dash where nothing was.
func ifAny(times int, format string, figures ...any) string {
	if times == 0 {
		return "-"
	}
	return fmt.Sprintf(format, figures...)
}
