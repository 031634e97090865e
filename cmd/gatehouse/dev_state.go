package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// devState is the state folder. Next to Postgres' data and the keys it holds:
//
//	lock          held while gatehouse dev runs
//	secrets.json  what cannot be made again: passwords, API keys, which custody the keys are in
//	dev.json      addresses, demo accounts and keys, for scripts; written anew by each start
//	env           the same as shell variables, and the settings of operators' commands; likewise
type devState struct {
	dir     string
	secrets devSecrets
}

type devSecrets struct {
	RuntimePassword     string  `json:"runtime_password"`
	ProvisionerPassword string  `json:"provisioner_password"`
	Custody             string  `json:"custody"`                 // where the keys are; a platform cannot change it
	PostgresPort        int     `json:"postgres_port,omitempty"` // of the last start
	MailPort            int     `json:"mail_port,omitempty"`     // likewise, of the page that shows mails
	Demo                devFile `json:"demo"`
}

func (s devState) path(name string) string { return filepath.Join(s.dir, name) }

func (s devState) roles() migrations.Roles {
	return migrations.Roles{Database: "postgres", Runtime: "gatehouse_runtime", RuntimePassword: s.secrets.RuntimePassword,
		Provisioner: "gatehouse_provisioner", ProvisionerPassword: s.secrets.ProvisionerPassword}
}

// openState takes the state folder for this run and reads or makes its secrets.
func (d *dev) openState(dir string) error {
	d.state.dir = absolute(dir)
	// Started by root, Postgres runs as another account and has to get through.
	if err := os.MkdirAll(d.state.dir, 0o711); err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	if err := d.checkFolder(); err != nil {
		return err
	}
	lock := flock.New(d.state.path("lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("cannot use the state folder %s: %w", dir, err)
	}
	if !locked {
		return fmt.Errorf("another gatehouse dev is running on the state folder %s", dir)
	}
	d.cleanup = append(d.cleanup, lock.Unlock)

	text, err := os.ReadFile(d.state.path("secrets.json"))
	if errors.Is(err, fs.ErrNotExist) {
		d.state.secrets = devSecrets{RuntimePassword: rand.Text(), ProvisionerPassword: rand.Text()}
		return nil // written once custody is chosen, before anything else is made
	}
	if err == nil {
		err = json.Unmarshal(text, &d.state.secrets)
	}
	if err != nil || d.state.secrets.RuntimePassword == "" || d.state.secrets.ProvisionerPassword == "" {
		return d.damaged("secrets.json cannot be read")
	}
	return nil
}

// checkFolder refuses a folder without secrets.json that holds something: state that lost them, or a folder of somebody's,
// who would be told elsewhere to remove it. Nothing of ours is put there before, the lock included.
func (d *dev) checkFolder() error {
	entries, err := os.ReadDir(d.state.dir)
	if err != nil {
		return err
	}
	there := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	if there("secrets.json") {
		return nil
	}
	if there("postgres") {
		return d.damaged("secrets.json is gone")
	}
	for _, e := range entries {
		// make dev-vault puts its Vault there before we start; the others are of a start that was killed at once.
		if name := e.Name(); name != "lock" && name != "secrets.json.tmp" && !strings.HasPrefix(name, "vaultdev") {
			return fmt.Errorf("the folder %s holds something else (%s): choose another one with --state", d.state.dir, name)
		}
	}
	return nil
}

// damaged is one sentence for a folder that somebody has been at.
func (d *dev) damaged(what string) error {
	return fmt.Errorf("the state folder %s is damaged: %s; remove the folder to start afresh", d.state.dir, what)
}

// write replaces a file of the state folder as a whole: a reader, or a run after a crash, never sees half of it.
func (s devState) write(name string, content []byte) error {
	tmp, err := os.OpenFile(s.path(name+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), s.path(name))
}

func (s devState) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.write(name, append(text, '\n'))
}

func withUser(rawURL, user, password string) (secret, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	u.User = url.UserPassword(user, password)
	return secret(u.String()), nil
}
