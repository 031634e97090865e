package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
)

const secondCluster = "postgres-2"

// place is a database beside the first, as GATEHOUSE_DATABASES_FILE tells the server of it.
type place struct {
	Name           string `json:"name"`
	URL            string `json:"url"`
	ProvisionerURL string `json:"provisioner_url"`
	Capacity       int    `json:"capacity"`

	database string
	cluster  int // of fleet.clusters
}

// spread makes the other cluster and the other databases: half of all on each cluster.
func (f *fleet) spread(ctx context.Context) (err error) {
	if f.secondPort, err = freePort(); err != nil {
		return err
	}
	if f.second, err = f.startCluster(ctx, secondCluster, f.secondPort, true); err != nil {
		return err
	}
	capacity := (f.large+f.databases-1)/f.databases + 10 // the platform and the demo tenants take room, too
	for i := 2; i <= f.databases; i++ {
		on := 0
		if i > (f.databases+1)/2 {
			on = 1
		}
		p, err := f.newPlace(ctx, on, fmt.Sprintf("shared-%d", i), capacity)
		if err != nil {
			return err
		}
		f.places = append(f.places, p)
	}
	text, err := json.Marshal(map[string]any{"databases": f.places})
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.path("databases.json"), text, 0o600); err != nil {
		return err
	}
	f.env = append(f.env, "GATEHOUSE_DATABASES_FILE="+f.path("databases.json"), fmt.Sprintf("GATEHOUSE_DATABASE_CAPACITY=%d", capacity),
		fmt.Sprintf("GATEHOUSE_DATABASE_CONNECTIONS=%d", f.databases*serverConnections))
	_, err = f.command(ctx, f.binary, f.env, "migrate")
	return err
}

// newPlace makes an empty database and its two login roles, which no other database of the cluster has.
func (f *fleet) newPlace(ctx context.Context, on int, name string, capacity int) (p place, err error) {
	p = place{Name: name, Capacity: capacity, database: strings.ReplaceAll(name, "-", "_"), cluster: on}
	at, err := url.Parse(f.superuserOf(p))
	if err != nil {
		return p, err
	}
	for role, to := range map[string]*string{"runtime": &p.URL, "provisioner": &p.ProvisionerURL} {
		at.User = url.UserPassword(role+"_"+p.database, password)
		*to = at.String()
	}
	if err := execAt(ctx, f.clusters()[on].SuperuserURL(), "create database "+p.database); err != nil {
		return p, err
	}
	script, err := f.command(ctx, f.binary, []string{"GATEHOUSE_DATABASE_URL=" + p.URL, "GATEHOUSE_PROVISIONER_DATABASE_URL=" + p.ProvisionerURL},
		"migrate", "roles")
	if err != nil {
		return p, err
	}
	return p, execAt(ctx, f.superuserOf(p), script)
}

// superuserOf is the URL of a place as the superuser of its cluster has it.
func (f *fleet) superuserOf(p place) string {
	return strings.Replace(f.clusters()[p.cluster].SuperuserURL(), "/postgres?", "/"+p.database+"?", 1)
}

// command runs gatehouse to its end and returns what it printed.
func (f *fleet) command(ctx context.Context, binary string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s %s: %w: %s", filepath.Base(binary), strings.Join(args, " "), err, failed.Stderr)
	}
	return string(out), err
}

func (f *fleet) clusters() []*pgproc.Server {
	if f.second == nil {
		return []*pgproc.Server{f.postgres}
	}
	return []*pgproc.Server{f.postgres, f.second}
}

// allPlaces are all databases, the first one included, which `gatehouse dev` made.
func (f *fleet) allPlaces() []place {
	return append([]place{{Name: "shared-1", database: "postgres"}}, f.places...)
}

// restart starts the clusters anew, to be durable or to be filled. What filling left unsynced goes to the disk before
// anything is measured, and what Postgres would do beside the next figures, too.
func (f *fleet) restart(ctx context.Context, durable bool) (err error) {
	if err := f.restartPostgres(ctx, durable); err != nil {
		return err
	}
	if f.second != nil {
		if err := f.second.Stop(); err != nil {
			return err
		}
		if f.second, err = f.startCluster(ctx, secondCluster, f.secondPort, durable); err != nil {
			return err
		}
	}
	if !durable {
		return nil
	}
	for _, p := range f.allPlaces() {
		if err := tidyAt(ctx, f.superuserOf(p)); err != nil {
			return err
		}
	}
	syscall.Sync()
	return nil
}

// tearDown ends the other cluster before the rest.
func (f *fleet) tearDown(keep bool) error {
	var err error
	if f.second != nil {
		err = f.second.Stop()
		if !keep {
			err = errors.Join(err, pgproc.Remove(f.path("state/"+secondCluster)))
		}
	}
	return errors.Join(err, f.stack.tearDown(keep))
}
