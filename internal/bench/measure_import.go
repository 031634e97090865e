package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// importFigures are of one import into a tenant of its own, on a server of its own.
type importFigures struct {
	Lines     int     `json:"lines"`
	PerSecond float64 `json:"per_second"`
	Peak      int64   `json:"peak_bytes"` // resident memory of the server, at most
	CPU       cpu     `json:"cpu_ms_per_thousand"`
}

type cpu struct {
	Server   float64 `json:"server"`
	Postgres float64 `json:"postgres"`
	Vault    float64 `json:"vault"`
}

// measureImports: users with bcrypt hashes, by the API, from the first line sent to the last result read. Each import has a
// fresh server, so that the memory is its own.
func (b *bench) measureImports(ctx context.Context) error {
	for i, n := range b.imports {
		err := b.serving(ctx, func(r *replica) error {
			t, _, err := b.newTenant(ctx, r, 9000+i, "")
			if err != nil {
				return err
			}
			f, err := b.importUsers(ctx, r, t, n)
			b.report.Imports = append(b.report.Imports, f)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) importUsers(ctx context.Context, r *replica, t tenant, n int) (f importFigures, err error) {
	before, err := b.costSoFar(r)
	if err != nil {
		return f, err
	}
	stop := watch(r.pid())
	began := time.Now()
	created, err := sendUsers(ctx, r, t, n)
	took := time.Since(began)
	f = importFigures{Lines: n, PerSecond: float64(n) / took.Seconds(), Peak: stop()}
	if err != nil {
		return f, err
	}
	if created != n {
		return f, fmt.Errorf("%d users of %d were imported", created, n)
	}
	after, err := b.costSoFar(r)
	c := after.minus(before)
	f.CPU = cpu{ratio(1000*millis(c.server), n), ratio(1000*millis(c.postgres), n), ratio(1000*millis(c.vault), n)}
	return f, err
}

// sendUsers sends lines while it reads results.
func sendUsers(ctx context.Context, r *replica, t tenant, n int) (created int, err error) {
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 64<<10)
		for i := range n {
			fmt.Fprintf(w, `{"email":"u%06d@imported.example","name":"Somebody %d","email_verified":true,"password_hash":"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"}`+"\n", i, i)
		}
		_ = out.CloseWithError(w.Flush())
	}()
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1/users/import", in)
	if err != nil {
		return 0, err
	}
	rq.Host = t.host
	rq.Header.Set("X-Api-Key", t.key)
	rq.Header.Set("Content-Type", "application/x-ndjson")
	res, err := (&http.Client{Timeout: 10 * time.Minute}).Do(rq)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	for results := json.NewDecoder(res.Body); ; {
		var one struct {
			Status string `json:"status"`
		}
		if err := results.Decode(&one); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return created, err
		}
		if one.Status == "created" {
			created++
		}
	}
}

// mostImportMemory is how much more a long import may take than a short one.
const mostImportMemory = 1.20

func (r *report) judgeImports() {
	if n := len(r.Imports); n > 1 {
		short, long := r.Imports[0], r.Imports[n-1]
		r.atMost(fmt.Sprintf("peak memory, %d lines over %d", long.Lines, short.Lines), mostImportMemory, float64(long.Peak)/float64(short.Peak))
	}
}

func (r *report) importTable() (t table) {
	heading, rate, peak, cost := []string{"imports, lines"}, []string{"users per second"}, []string{"server at most, MB"}, []string{"server / Postgres / Vault CPU ms, 1,000 users"}
	for _, f := range r.Imports {
		heading = append(heading, strconv.Itoa(f.Lines))
		rate = append(rate, fmt.Sprintf("%.0f", f.PerSecond))
		peak = append(peak, fmt.Sprintf("%.1f", float64(f.Peak)/(1<<20)))
		cost = append(cost, fmt.Sprintf("%.0f / %.0f / %.0f", f.CPU.Server, f.CPU.Postgres, f.CPU.Vault))
	}
	if len(r.Imports) == 0 {
		return nil
	}
	t.row(heading...)
	t.row(rate...)
	t.row(peak...)
	t.row(cost...)
	return t
}
