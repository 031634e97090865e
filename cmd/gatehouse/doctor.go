package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// nearlyFull is the share of a database's capacity from which somebody should see to a next one.
const nearlyFull = 0.8

func doctorCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Say what is wrong with the installation, or will be soon", Args: cobra.NoArgs,
		Long: "Say what is wrong with the installation, or will be soon, and what to do about it. What is marked wrong makes the command\n" +
			"fail; a warning does not.",
	}
	addFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := readConfig(c, p.getenv)
		if err != nil {
			return err
		}
		cfg.LogLevel = quiet(cfg.LogLevel)
		platform, err := wire(c.Context(), cfg, cfg.logger(p.stderr))
		if err != nil {
			return err
		}
		defer platform.close()
		d := &doctor{platform: platform, w: p.stdout}
		d.databases(c.Context())
		d.directory(c.Context())
		d.custody(c.Context())
		switch d.ill {
		case 0:
			return nil
		case 1:
			return errors.New("1 thing is wrong")
		}
		return fmt.Errorf("%d things are wrong", d.ill)
	}
	return c
}

// doctor looks at one thing after the other and writes a line about each.
type doctor struct {
	*platform
	w   io.Writer
	ill int
}

func (d *doctor) well(format string, args ...any) { fmt.Fprintf(d.w, "ok       "+format+"\n", args...) }
func (d *doctor) warn(format string, args ...any) { fmt.Fprintf(d.w, "warning  "+format+"\n", args...) }
func (d *doctor) wrong(format string, args ...any) {
	d.ill++
	fmt.Fprintf(d.w, "wrong    "+format+"\n", args...)
}

func (d *doctor) databases(ctx context.Context) {
	silent := 0
	for _, db := range d.config.databases() {
		if err := d.db.Examine(ctx, db.Name); err != nil {
			d.wrong("database %s: %v", db.Name, plain(err))
			silent++
			continue
		}
		server, err := d.db.Server(ctx, db.Name)
		if err != nil {
			d.wrong("database %s: %v", db.Name, plain(err))
			silent++
			continue
		}
		d.well("database %s: answers, its serving role is safe, Postgres %s", db.Name, server.Version)
	}
	for _, sentence := range d.misled(ctx) {
		d.wrong("%s", sentence)
	}
	sentences := d.overdrawn(ctx)
	for _, sentence := range sentences {
		d.wrong("%s", sentence)
	}
	if len(sentences) == 0 && silent == 0 {
		d.well("connections: each server allows what all replicas may open (GATEHOUSE_REPLICAS is %d)", d.config.Replicas)
	}
}

// directory looks at what the directory says of all databases.
func (d *doctor) directory(ctx context.Context) {
	if err := d.db.CheckDirectory(ctx); err != nil {
		d.wrong("directory: %v", plain(err))
		return
	}
	d.well("directory: version %d", migrations.LatestControl)
	held, err := d.platform.directory.Tenants(ctx)
	if err != nil {
		d.wrong("directory: %v", plain(err))
		return
	}
	for _, db := range d.config.databases() {
		d.capacity(db, held[db.Name])
		delete(held, db.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(held)) {
		d.wrong("database %s: %d tenants live in it and it is not in the settings: add it to GATEHOUSE_DATABASES_FILE", name, held[name])
	}
	d.schemas(ctx)
}

// schemas tells of tenants that a replica of the version before made when gatehouse migrate had passed.
func (d *doctor) schemas(ctx context.Context) {
	switch n, first, err := d.platform.directory.Behind(ctx); {
	case err != nil:
		d.wrong("tenants: %v", plain(err))
	case n == 1:
		d.wrong("1 tenant is behind version %d (%s): run gatehouse migrate", migrations.LatestTenant, first)
	case n > 1:
		d.wrong("%d tenants are behind version %d (first: %s): run gatehouse migrate", n, migrations.LatestTenant, first)
	default:
		d.well("tenants: all are at version %d", migrations.LatestTenant)
	}
}

func (d *doctor) capacity(db database, held int) {
	switch full := float64(held) >= nearlyFull*float64(db.Capacity); {
	case db.Capacity == 0:
		d.well("database %s: %d tenants, and gets no new ones", db.Name, held)
	case held >= int(db.Capacity):
		d.warn("database %s: all %d places are taken, and it gets no new tenants: add a database to GATEHOUSE_DATABASES_FILE, or raise its capacity (to %d at most)", db.Name, db.Capacity, maxCapacity)
	case full:
		d.warn("database %s: %d of %d places are taken: add a database to GATEHOUSE_DATABASES_FILE, or raise its capacity (to %d at most)", db.Name, held, db.Capacity, maxCapacity)
	default:
		d.well("database %s: %d of %d places are taken", db.Name, held, db.Capacity)
	}
}

func (d *doctor) custody(ctx context.Context) {
	if err := errors.Join(d.custodian.Ready(ctx), d.keymaster.Ready(ctx)); err != nil {
		d.wrong("custody of keys: %v", oneLine(err))
		return
	}
	d.well("custody of keys: answers both logins")
}
