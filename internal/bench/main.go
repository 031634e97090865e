// Command bench measures a gatehouse from outside, as `make bench` runs it: it installs one with the built binary on a
// Postgres and a Vault of its own, and talks to it by HTTP alone. What it prints is explained in docs/benchmarks.md.
//
// A figure alone says as much about the machine as about the program. So each is taken beside its floor, the least that
// this machine could do it in, and the two alternate, so that whatever else runs strikes both alike:
//
//	login  <-> one bare argon2id hash, in a process of its own (hash.go)
//	tenant <-> as many new tables and indexes in one transaction (floor_sql.go)
//	domain <-> one commit and its notification (floor_sql.go)
//	ready  <-> starting the binary to do nothing
//	factor <-> the calls to Vault, the commits and the signature check it is made of (floor_factors.go)
//	refresh <-> one signature in Vault and one commit (floor_refresh.go)
//	JWKS   <-> an empty HTTP answer from a process of its own (floor_http.go)
//
// `bench tenants`, which is `make bench-tenants`, asks what becomes of these figures as tenants grow (fleet.go).
//
// Cost is the CPU time that the kernel counted for each process (proc_linux.go), because time on a clock is also
// everybody else's. The load comes from this process, whose own cost is told apart.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "hash":
		err = serveHashes(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "empty":
		err = serveEmpty(os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "tenants":
		err = runFleet(ctx, args[1:])
	default:
		err = run(ctx, args)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	binary := fs.String("gatehouse", "bin/gatehouse", "the `program` to measure")
	out := fs.String("out", "bench-out/bench.json", "`file` for the figures")
	quick := fs.Bool("quick", false, "a minute of small counts: shows that everything works, measures little")
	only := fs.String("only", "", "only this `part`: starts, tenants, domains, logins, spray, factors, refresh, import, policies, pages, fair, sizes, backends or migrate")
	alike := fs.Int("alike", 0, "compare answers that must be alike by so many `samples` of each class, and measure nothing else")
	keep := fs.Bool("keep", false, "leave logs and data for a look")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p := full
	if *quick {
		p = small
	}
	s, err := setUp(ctx, *binary)
	defer func() {
		if *keep {
			say("logs and data are in %s", s.dir)
		}
		err = errors.Join(err, s.tearDown(*keep))
	}()
	if err != nil {
		return err
	}
	b := &bench{stack: s, plan: p}
	if *alike > 0 {
		all, err := b.measureAlike(ctx, *alike)
		printAlike(os.Stdout, all)
		return err
	}
	if err := b.measure(ctx, *only); err != nil {
		return err
	}
	b.report.judge()
	if err := write(*out, b.report); err != nil {
		return err
	}
	return b.report.print(os.Stdout)
}

func write(path string, r any) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(text, '\n'))
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
