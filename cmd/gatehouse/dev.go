package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/fleet"
)

// devRegion is the region of development platforms, by which operators' commands recognise one.
const devRegion = "dev"

func devCommand(p process) *cobra.Command {
	var state, listen, smtp string
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a platform with two demo tenants on this machine",
		Long: "Run a platform with two demo tenants on this machine: a private Postgres, keys in the Vault that VAULT_ADDR and\n" +
			"VAULT_TOKEN name, else in a vault or bao found on PATH, else in files. Everything is kept in the state folder; a\n" +
			"second start takes seconds and keeps users, and keys where they were. Mails are kept in memory and shown at a page of\n" +
			"this machine's. Ctrl-C stops all of it.",
		Args: cobra.NoArgs,
	}
	c.PersistentFlags().StringVar(&state, "state", ".dev", "folder that holds everything; remove it to start afresh")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address to listen on, on this machine's loopback only")
	c.Flags().StringVar(&smtp, "smtp", "", "hand mails to this server instead, as smtp://USER@HOST:PORT or smtps://...; GATEHOUSE_SMTP_PASSWORD\nand GATEHOUSE_MAIL_FROM go with it")
	c.AddCommand(devCodeCommand(p, &state))
	c.RunE = func(c *cobra.Command, _ []string) error {
		d := &dev{process: p, listen: listen, smtp: smtp, ended: make(chan error, 2)}
		return d.run(c.Context(), state)
	}
	return c
}

// dev is one run of the development platform. Whatever it started is stopped in reverse order, however it ends.
type dev struct {
	process
	listen  string
	smtp    string // a mail server of somebody's; empty: ours
	mailURL string // where mails are shown
	state   devState
	cleanup []func() error
	serving bool
	ended   chan error // gets what ended by itself of that which the service stands on
}

func (d *dev) run(ctx context.Context, dir string) (err error) {
	defer func() {
		if ctx.Err() != nil && !d.serving {
			err = nil // Ctrl-C during the start is a wish; that something does not stop is a failure all the same
		}
		for i := len(d.cleanup) - 1; i >= 0; i-- {
			err = errors.Join(err, d.cleanup[i]())
		}
	}()
	// The cheap refusals come first: nothing is started that would have to be stopped again.
	listener, err := listenLoopback(d.listen)
	if err != nil {
		return err
	}
	d.cleanup = append(d.cleanup, func() error { _ = listener.Close(); return nil })
	if err := d.openState(dir); err != nil {
		return err
	}
	if err := d.chooseCustody(); err != nil {
		return err
	}
	cfg, err := d.prepare(ctx, listener.Addr().(*net.TCPAddr).Port)
	if err != nil {
		return err
	}
	return d.serve(ctx, cfg, listener)
}

func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: must be HOST:PORT", address)
	}
	if !loopbackName(host) {
		return nil, fmt.Errorf("--listen %s: gatehouse dev has demo accounts and listens on this machine's loopback only, such as 127.0.0.1:8080", address)
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen on %s: another program does (another gatehouse dev?); choose a port with --listen (make dev ARGS=\"--listen 127.0.0.1:9000\")", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, errors.Unwrap(err))
	}
	return l, nil
}

// prepare brings up what the service stands on: custody, Postgres, roles, the newest schema. Custody is first because it
// is the one that others may have configured wrongly, and the quicker one to stop again.
func (d *dev) prepare(ctx context.Context, port int) (cfg config, err error) {
	cfg = config{Database: "shared-1", DatabaseCapacity: defaultCapacity, Replicas: 1, DatabaseConnections: 10, Region: devRegion, TenantDomain: "localhost", LogFormat: "text", development: true, localNames: true}
	if cfg.Address, err = tenancy.ParseAddress(fmt.Sprintf("http://localhost:%d", port)); err != nil {
		return config{}, err
	}
	if err := d.openMail(ctx, &cfg); err != nil {
		return config{}, err
	}
	if err := d.openCustody(ctx, &cfg); err != nil {
		return config{}, err
	}
	superuser, err := d.runPostgres(ctx)
	if err != nil {
		return config{}, err
	}
	roles := d.state.roles()
	if err := migrations.ApplyRoles(ctx, superuser, roles); err != nil {
		return config{}, fmt.Errorf("cannot make the database roles: %w", err)
	}
	if cfg.DatabaseURL, err = withUser(superuser, roles.Runtime, roles.RuntimePassword); err != nil {
		return config{}, err
	}
	if cfg.ProvisionerURL, err = withUser(superuser, roles.Provisioner, roles.ProvisionerPassword); err != nil {
		return config{}, err
	}
	if err := cfg.check(); err != nil {
		return config{}, err
	}
	return cfg, migrateAll(ctx, cfg)
}

func (d *dev) runPostgres(ctx context.Context) (superuserURL string, err error) {
	binaries, err := pgproc.Obtain(ctx, d.stderr)
	if err != nil {
		return "", err
	}
	log, err := os.OpenFile(d.state.path("postgres.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	d.cleanup = append(d.cleanup, log.Close)
	d.say("starting Postgres ...")
	o := pgproc.Options{BinDir: binaries, Dir: d.state.path("postgres"), Port: d.state.secrets.PostgresPort, Log: log}
	postgres, err := pgproc.Start(ctx, o)
	if err != nil && o.Port != 0 && taken(o.Port) {
		o.Port = 0
		postgres, err = pgproc.Start(ctx, o)
	}
	if err != nil {
		return "", err
	}
	d.cleanup = append(d.cleanup, postgres.Stop)
	d.watch("Postgres", postgres.Done(), "postgres.log")
	return postgres.SuperuserURL(), d.keepPort(postgres.SuperuserURL())
}

// keepPort writes down where Postgres is, for the next start: shells that have read env still find it there.
func (d *dev) keepPort(superuserURL string) error {
	u, err := url.Parse(superuserURL)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port == d.state.secrets.PostgresPort {
		return err
	}
	d.state.secrets.PostgresPort = port
	return d.state.writeJSON("secrets.json", d.state.secrets)
}

// taken reports that somebody else listens on the port.
func taken(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		_ = l.Close()
	}
	return err != nil
}

// watch tells serve when a program ends that it cannot do without. A platform that answers 503 to everything would leave
// its user to find out why.
func (d *dev) watch(name string, done <-chan struct{}, log string) {
	go func() {
		<-done
		d.ended <- fmt.Errorf("%s has ended by itself; its log is %s", name, d.state.path(log))
	}()
}

func migrateAll(ctx context.Context, cfg config) error {
	url := string(cfg.ProvisionerURL)
	if err := migrations.Control(ctx, url); err != nil {
		return err
	}
	report, err := fleet.Migrate(ctx, fleet.Options{Directory: url, Databases: map[string]string{cfg.Database: url}, Set: migrations.Tenants})
	if err == nil && len(report.Failed) > 0 {
		err = fmt.Errorf("tenant %s: %s", report.Failed[0].Slug, report.Failed[0].Error)
	}
	return err
}

// serve is what `gatehouse serve` does, with the demo set up in between, a summary, and no wait for a load balancer.
func (d *dev) serve(ctx context.Context, cfg config, listener net.Listener) error {
	logFile, err := os.OpenFile(d.state.path("gatehouse.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d.cleanup = append(d.cleanup, logFile.Close)
	var demo devFile
	return serve(ctx, cfg, cfg.logger(logFile), listener, additions{
		furnish: func(ctx context.Context, p *platform) (err error) {
			demo, err = d.furnish(ctx, p)
			return err
		},
		serving: func() error {
			if err := d.publish(cfg, demo); err != nil {
				return err
			}
			d.summary(cfg, demo)
			d.serving = true
			return nil
		},
		stopping: func() { d.say("stopping ...") },
		ended:    d.ended,
	})
}

// say tells the person at the terminal what is going on; what scripts read goes to stdout and dev.json.
func (d *dev) say(format string, args ...any) { fmt.Fprintf(d.stderr, format+"\n", args...) }

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
