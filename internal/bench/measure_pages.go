package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// pageFigures are of the sign-in page, which everybody sees on a Monday morning, and of what sign-ins that are not finished
// leave behind.
type pageFigures struct {
	Views  []viewFigures `json:"views"`
	Weight []weight      `json:"weight"`
	Flows  flowFigures   `json:"flows"`
}

type viewFigures struct {
	Clients   int     `json:"clients"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Floor     float64 `json:"floor_per_second"` // of empty answers, between the same two processes
	FloorP99  float64 `json:"floor_p99_ms"`
}

// weight is what a page brings over the network, uncompressed.
type weight struct {
	What  string `json:"what"`
	Bytes int    `json:"bytes"`
}

type flowFigures struct {
	Open   int   `json:"open"`
	Before int64 `json:"memory_before_bytes"`
	After  int64 `json:"memory_after_bytes"`
}

const (
	viewed    = 3 * time.Second // of a round
	openFlows = 10_000
)

func (b *bench) measurePages(ctx context.Context) error {
	f := &pageFigures{}
	b.report.Pages = f
	empty, err := startEmpty()
	if err != nil {
		return err
	}
	defer func() { _ = empty.stop() }()
	return b.serving(ctx, func(r *replica) error {
		if err := b.have(ctx, r, 1); err != nil {
			return err
		}
		page := call{method: http.MethodGet, url: r.url + "/signin", host: b.tenants[0].host}
		if f.Weight, err = weigh(ctx, page); err != nil {
			return err
		}
		for _, clients := range []int{1, 16} {
			v := viewFigures{Clients: clients}
			floor, _, err := repeat(ctx, clients, viewed, call{method: http.MethodGet, url: empty.url})
			if err != nil {
				return err
			}
			took, wall, err := repeat(ctx, clients, viewed, page)
			if err != nil {
				return err
			}
			v.PerSecond, v.P50, v.P99 = float64(len(took))/wall.Seconds(), millis(quantile(took, 0.5)), millis(quantile(took, 0.99))
			v.Floor, v.FloorP99 = float64(len(floor))/viewed.Seconds(), millis(quantile(floor, 0.99))
			f.Views = append(f.Views, v)
		}
		return b.openFlows(ctx, r, &f.Flows)
	})
}

// repeat has clients ask for the same again and again.
func repeat(ctx context.Context, clients int, d time.Duration, c call) (took []time.Duration, wall time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			var mine []time.Duration
			for time.Since(began) < d && ctx.Err() == nil {
				asked := time.Now()
				a, err := c.do(ctx)
				if err != nil || a.status != http.StatusOK {
					cancel(fmt.Errorf("%s was answered %d (%w)", a.asked, a.status, err))
					return
				}
				mine = append(mine, time.Since(asked))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return took, time.Since(began), context.Cause(ctx)
}

var linked = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// weigh asks for a page and all it asks for itself.
func weigh(ctx context.Context, page call) (all []weight, err error) {
	a, err := page.do(ctx)
	if err != nil || a.status != http.StatusOK {
		return nil, fmt.Errorf("%s was answered %d (%w)", a.asked, a.status, err)
	}
	all, sum := []weight{{"the sign-in page", len(a.body)}}, len(a.body)
	for _, m := range linked.FindAllSubmatch(a.body, -1) {
		part := page
		base, _ := url.Parse(page.url)
		part.url = base.Scheme + "://" + base.Host + string(m[1])
		a, err := part.do(ctx)
		if err != nil || a.status != http.StatusOK {
			return nil, fmt.Errorf("%s was answered %d (%w)", a.asked, a.status, err)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(string(m[1]), "/assets/"), ".")
		all = append(all, weight{name + string(m[1][strings.LastIndexByte(string(m[1]), '.'):]), len(a.body)})
		sum += len(a.body)
	}
	return append(all, weight{"in all", sum}), nil
}

// openFlows begins sign-ins that nobody goes on with. Some thousands come before, so that heaps have grown to what pages need.
func (b *bench) openFlows(ctx context.Context, r *replica, f *flowFigures) (err error) {
	begin := func(n int) error {
		for i := range n {
			c := call{method: http.MethodPost, url: r.url + "/signin", host: b.tenants[0].host, form: url.Values{"email": {fmt.Sprintf("somebody.%d@people.example", i)}}}
			if a, err := c.do(ctx); err != nil || a.status != http.StatusSeeOther {
				return fmt.Errorf("%s was answered %d (%w)", a.asked, a.status, err)
			}
		}
		return nil
	}
	if err := begin(openFlows / 4); err != nil {
		return err
	}
	if f.Before, err = memoryOf(r.pid()); err != nil {
		return err
	}
	if err := begin(openFlows); err != nil {
		return err
	}
	f.Open = openFlows
	f.After, err = memoryOf(r.pid())
	return err
}

// heaviestSignIn is how many bytes the sign-in page may bring in all.
const heaviestSignIn = 50_000

func (r *report) judgePages() {
	if r.Pages == nil {
		return
	}
	for _, w := range r.Pages.Weight {
		if w.What == "in all" {
			r.atMost("the sign-in page in all, bytes", heaviestSignIn, float64(w.Bytes))
		}
	}
}

func (r *report) pageTable() (t table) {
	if r.Pages == nil {
		return nil
	}
	t.row("sign-in pages, clients", "per second", "p50 ms", "p99 ms", "floor per second", "floor p99 ms")
	for _, v := range r.Pages.Views {
		t.row(fmt.Sprint(v.Clients), fmt.Sprintf("%.0f", v.PerSecond), figure(v.P50), figure(v.P99), fmt.Sprintf("%.0f", v.Floor), figure(v.FloorP99))
	}
	t.row("bytes of", "")
	for _, w := range r.Pages.Weight {
		t.row(w.What, fmt.Sprint(w.Bytes))
	}
	t.row("memory of the server, MB", fmt.Sprintf("%.1f", float64(r.Pages.Flows.Before)/1e6))
	t.row(fmt.Sprintf("with %d open sign-ins", r.Pages.Flows.Open), fmt.Sprintf("%.1f", float64(r.Pages.Flows.After)/1e6))
	return t
}
