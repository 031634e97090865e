package main

import (
	"fmt"
	"slices"
	"time"
)

// factorFigures are those of one kind of second factor and one number of clients.
type factorFigures struct {
	Kind         string       `json:"kind"`
	Clients      int          `json:"clients"`
	Count        int          `json:"count"`
	PerSecond    float64      `json:"per_second"`
	FloorPerSec  float64      `json:"floor_per_second"`
	OfFloor      [3]float64   `json:"per_second_of_floor"` // of the sums; the least and greatest of a round
	P50          float64      `json:"p50_ms"`
	P99          float64      `json:"p99_ms"`
	FloorP50     float64      `json:"floor_p50_ms"`
	CPU          cpuPerFactor `json:"cpu_ms_per_proof"`
	FloorCPU     cpuPerFactor `json:"floor_cpu_ms"`
	PerCPUSecond float64      `json:"per_cpu_second"`
	FloorPerCPU  float64      `json:"floor_per_cpu_second"`
	OfFloorCPU   float64      `json:"per_cpu_second_of_floor"`
}

// cpuPerFactor is what one takes. Of the floor, Server is the program that does its parts, and there is no load generator.
type cpuPerFactor struct {
	Server   float64 `json:"server"`
	Postgres float64 `json:"postgres"`
	Vault    float64 `json:"vault"`
	All      float64 `json:"all"`
	Load     float64 `json:"load_generator"` // not part of all
}

// abandonedFigures are the table of challenges before and after many were begun and none was proved.
type abandonedFigures struct {
	Begun       int   `json:"begun"`
	Users       int   `json:"users"`
	RowsBefore  int64 `json:"rows_before"`
	RowsAfter   int64 `json:"rows_after"`
	BytesBefore int64 `json:"bytes_before"`
	BytesAfter  int64 `json:"bytes_after"`
}

func newFactorFigures(kind string, clients int, rounds []factorRound) factorFigures {
	f := factorFigures{Kind: kind, Clients: clients}
	var proved, floor stretch
	for i, x := range rounds {
		proved, floor = proved.plus(x.proved), floor.plus(x.floor)
		of := x.proved.perSecond() / x.floor.perSecond()
		if i == 0 || of < f.OfFloor[1] {
			f.OfFloor[1] = of
		}
		f.OfFloor[2] = max(f.OfFloor[2], of)
	}
	f.Count = len(proved.took)
	f.PerSecond, f.FloorPerSec = proved.perSecond(), floor.perSecond()
	f.OfFloor[0] = f.PerSecond / f.FloorPerSec
	f.P50, f.P99, f.FloorP50 = millis(quantile(proved.took, 0.5)), millis(quantile(proved.took, 0.99)), millis(quantile(floor.took, 0.5))
	f.CPU = perFactor(proved)
	floor.cost.server, floor.cost.load = floor.cost.load, 0 // the floor is done by this program
	f.FloorCPU = perFactor(floor)
	f.PerCPUSecond, f.FloorPerCPU = 1000/f.CPU.All, 1000/f.FloorCPU.All
	f.OfFloorCPU = f.PerCPUSecond / f.FloorPerCPU
	return f
}

func perFactor(s stretch) cpuPerFactor {
	n := len(s.took)
	p := cpuPerFactor{Server: ratio(millis(s.cost.server), n), Postgres: ratio(millis(s.cost.postgres), n),
		Vault: ratio(millis(s.cost.vault), n), Load: ratio(millis(s.cost.load), n)}
	p.All = p.Server + p.Postgres + p.Vault
	return p
}

func (s stretch) plus(t stretch) stretch {
	return stretch{append(s.took, t.took...), s.wall + t.wall, s.cost.plus(t.cost)}
}

func (s stretch) perSecond() float64 {
	return float64(len(s.took)) / max(s.wall, time.Microsecond).Seconds()
}

// The promises: a second factor has at least so much of its parts' throughput, and a user keeps at most so many challenges.
const (
	leastOfFloor = 0.60
	mostPerUser  = 20
)

func (r *report) judgeFactors() {
	for _, f := range slices.Concat(r.Factors, r.Refreshes) {
		r.atLeast(fmt.Sprintf("%s per second over its floor's, %d clients", f.Kind, f.Clients), leastOfFloor, f.OfFloor[0])
		r.atLeast(fmt.Sprintf("%s per CPU second over its floor's, %d clients", f.Kind, f.Clients), leastOfFloor, f.OfFloorCPU)
	}
	if a := r.Abandoned; a.Begun > 0 {
		r.atMost(fmt.Sprintf("challenges kept of each user, %d begun in all", a.Begun), mostPerUser, float64(a.RowsAfter)/float64(a.Users))
	}
}

func (r *report) factorTable() table { return figuresTable("second factors", "proof", r.Factors) }

func (r *report) refreshTable() table {
	return figuresTable("sessions that go on", "refresh", r.Refreshes)
}

// figuresTable is of things that are measured beside the parts they are made of; one is what one of them is called.
func figuresTable(heading, one string, all []factorFigures) (t table) {
	row := func(name, format string, cell func(factorFigures) []any) {
		cells := []string{name}
		for _, f := range all {
			cells = append(cells, fmt.Sprintf(format, cell(f)...))
		}
		t.row(cells...)
	}
	if len(all) == 0 {
		return nil
	}
	row(heading, "%s", func(f factorFigures) []any { return []any{f.Kind} })
	row("clients at once", "%d", func(f factorFigures) []any { return []any{f.Clients} })
	row("per second", "%.0f", func(f factorFigures) []any { return []any{f.PerSecond} })
	row("  floor: its parts per second", "%.0f", func(f factorFigures) []any { return []any{f.FloorPerSec} })
	row("  of the floor", "%.2f", func(f factorFigures) []any { return []any{f.OfFloor[0]} })
	row("  least and greatest of a round", "%.2f-%.2f", func(f factorFigures) []any { return []any{f.OfFloor[1], f.OfFloor[2]} })
	row("p50 ms", "%.1f", func(f factorFigures) []any { return []any{f.P50} })
	row("p99 ms", "%.1f", func(f factorFigures) []any { return []any{f.P99} })
	row("  floor p50 ms", "%.1f", func(f factorFigures) []any { return []any{f.FloorP50} })
	row("per CPU second", "%.0f", func(f factorFigures) []any { return []any{f.PerCPUSecond} })
	row("  floor", "%.0f", func(f factorFigures) []any { return []any{f.FloorPerCPU} })
	row("  of the floor", "%.2f", func(f factorFigures) []any { return []any{f.OfFloorCPU} })
	row("CPU ms per "+one+" (floor), server", "%.2f (%.2f)", func(f factorFigures) []any { return []any{f.CPU.Server, f.FloorCPU.Server} })
	row("  Postgres", "%.2f (%.2f)", func(f factorFigures) []any { return []any{f.CPU.Postgres, f.FloorCPU.Postgres} })
	row("  Vault", "%.2f (%.2f)", func(f factorFigures) []any { return []any{f.CPU.Vault, f.FloorCPU.Vault} })
	row("  load generator, counted apart", "%.2f", func(f factorFigures) []any { return []any{f.CPU.Load} })
	return t
}

func (r *report) abandonedTable() (t table) {
	a := r.Abandoned
	if a.Begun == 0 {
		return nil
	}
	t.row(fmt.Sprintf("%d challenges of %d users, abandoned", a.Begun, a.Users), "before", "after")
	t.row("rows", fmt.Sprint(a.RowsBefore), fmt.Sprint(a.RowsAfter))
	t.row("kB, with indexes", fmt.Sprint(a.BytesBefore>>10), fmt.Sprint(a.BytesAfter>>10))
	return t
}
