package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
)

// fleetPlan is how much of everything is measured of many tenants.
type fleetPlan struct {
	sizes     []int // tenants in one database
	large     int   // tenants in all databases, at the end
	databases int   // at the end, over two clusters
	creates   int   // tenants of each size whose making is timed, tables and all
	ready     int   // likewise, made of blank schemas
	starts    int
	rounds    int
	times     map[string]int // of each action in a round, by one client; four clients make twice as many
	soak      time.Duration
}

var fullFleet = fleetPlan{
	sizes: []int{1, 100, 1000}, large: 10_000, databases: 10,
	creates: 80, ready: 40, starts: 7, rounds: 5,
	times: map[string]int{"login": 100, "refresh": 600, "JWKS": 2000},
	soak:  3 * time.Minute,
}

var smallFleet = fleetPlan{
	sizes: []int{1, 5, 20}, large: 40, databases: 4,
	creates: 8, ready: 6, starts: 2, rounds: 2,
	times: map[string]int{"login": 10, "refresh": 40, "JWKS": 100},
	soak:  5 * time.Second,
}

// serverConnections is what a server may open of the serving role in each database, once there are several.
const serverConnections = 4

// fleet is one run: an installation that grows, and what was measured of it at each size.
type fleet struct {
	*stack
	fleetPlan
	second     *pgproc.Server // the other cluster, once there is one
	secondPort int
	places     []place // the databases beside the first
	tenants    []tenant
	live       sessions
	metrics    string // HOST:PORT where the server tells them
	report     fleetReport
}

// runFleet is `bench tenants`.
func runFleet(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("bench tenants", flag.ContinueOnError)
	binary := fs.String("gatehouse", "bin/gatehouse", "the `program` to measure")
	out := fs.String("out", "bench-out/tenants.json", "`file` for the figures")
	svg := fs.String("plot", "bench-out/tenants.svg", "`file` for the plot")
	quick := fs.Bool("quick", false, "two minutes of small counts: shows that everything works, measures little")
	large := fs.Int("tenants", 0, "so many tenants in all databases, at the end")
	soak := fs.Duration("soak", 0, "how long memory is watched under load")
	keep := fs.Bool("keep", false, "leave logs and data for a look")
	if err := fs.Parse(args); err != nil {
		return err
	}
	f := &fleet{fleetPlan: fullFleet}
	if *quick {
		f.fleetPlan = smallFleet
	}
	if *large > 0 {
		f.scale(*large)
	}
	if *soak > 0 {
		f.soak = *soak
	}
	f.stack, err = setUp(ctx, *binary)
	defer func() {
		if *keep {
			say("logs and data are in %s", f.dir)
		} else {
			say("removing %d tenants' files", len(f.tenants))
		}
		err = errors.Join(err, f.tearDown(*keep))
	}()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	f.metrics = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	f.env = append(f.env, "GATEHOUSE_METRICS_LISTEN="+f.metrics)
	f.keepReady(0)             // what is made ready beside a measurement would be measured
	measured := f.measure(ctx) // what was measured before a failure is shown, too
	f.report.judge()
	if err := errors.Join(write(*out, f.report), writeFile(*svg, f.report.plot().SVG()), measured); err != nil {
		f.report.print(os.Stdout)
		return err
	}
	f.report.print(os.Stdout)
	return nil
}

// scale has another number of tenants at the end, and leaves out what is more than that before.
func (p *fleetPlan) scale(large int) {
	p.large = large
	p.sizes = slices.DeleteFunc(slices.Clone(p.sizes), func(n int) bool { return n >= large })
}

// measure grows the installation from size to size and looks at each. What harms it comes last.
func (f *fleet) measure(ctx context.Context) (err error) {
	f.report.Began = time.Now()
	defer func() { f.report.Seconds = int(time.Since(f.report.Began).Seconds()) }()
	if f.report.Machine, err = f.describe(ctx); err != nil {
		return err
	}
	for _, size := range f.sizes {
		if err := f.measureSize(ctx, size); err != nil {
			return err
		}
	}
	if err := f.spread(ctx); err != nil {
		return err
	}
	if err := f.measureSize(ctx, f.large); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"soak", f.measureSoak}, {"crash", f.measureCrash}, {"migration", f.measureMigration}} {
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		if failed := part.measure(ctx); failed != nil { // the others can be measured all the same
			err = errors.Join(err, fmt.Errorf("%s: %w", part.name, failed))
		}
		say("%s: %s", part.name, time.Since(began).Round(time.Second))
	}
	return errors.Join(err, ctx.Err())
}

// measureSize grows to a size and takes its figures. Those taken before a failure are kept.
func (f *fleet) measureSize(ctx context.Context, size int) (err error) {
	began := time.Now()
	s := sizeOfFleet{Tenants: size, Clusters: len(f.clusters())}
	defer func() { f.report.Sizes = append(f.report.Sizes, s) }()
	if err := f.growTo(ctx, size, &s.Create); err != nil {
		return err
	}
	if s.Databases, err = f.placed(ctx); err != nil {
		return err
	}
	if want := 1 + len(f.places); s.Databases != want {
		return fmt.Errorf("%d tenants live in %d databases, not in %d", size, s.Databases, want)
	}
	say("%d tenants: made in %s", size, time.Since(began).Round(time.Second))
	if err := f.startOften(ctx, &s); err != nil {
		return err
	}
	err = f.serving(ctx, func(r *replica) error {
		if err := f.introduce(ctx, r, &s); err != nil {
			return err
		}
		if err := f.visitAll(ctx, r, &s); err != nil {
			return err
		}
		if s.Postgres, err = f.databaseMemory(); err != nil {
			return err
		}
		return s.Memory.read(r)
	})
	if err != nil {
		return err
	}
	if err := f.measureMet(ctx, &s); err != nil {
		return err
	}
	s.Catalogs, err = f.catalogs(ctx)
	say("%d tenants: measured after %s", size, time.Since(began).Round(time.Second))
	return err
}
