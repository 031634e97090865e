package pgproc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// partialPrefix marks a cluster that initdb has not finished.
const partialPrefix = "data.partial-"

// ensureCluster makes the cluster unless it is there. initdb works in a directory of its own that is renamed when it is
// whole: killed halfway it leaves only something to throw away. The password is written before, so that
// there is never a cluster without one.
func ensureCluster(ctx context.Context, o Options, home string, as account) (password string, err error) {
	leftovers, _ := filepath.Glob(filepath.Join(home, partialPrefix+"*")) // the only error is a malformed pattern
	for _, path := range leftovers {
		_ = os.RemoveAll(path) // a process that is still dying may hold it up; the next start tries again
	}
	data := filepath.Join(home, "data")
	passwordFile := filepath.Join(o.Dir, "password")
	if _, err := os.Lstat(data); err == nil {
		secret, err := os.ReadFile(passwordFile)
		if err != nil || len(secret) == 0 {
			return "", fmt.Errorf("the password of the Postgres cluster in %s is lost: delete the directory to start afresh", o.Dir)
		}
		return string(secret), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	password = rand.Text()
	if err := writeWhole(passwordFile, password, account{}); err != nil {
		return "", err
	}
	partial, err := os.MkdirTemp(home, partialPrefix)
	if err != nil {
		return "", err
	}
	if err := initdb(ctx, o, partial, password, as); err != nil {
		_ = os.RemoveAll(partial)
		return "", err
	}
	return password, os.Rename(partial, data)
}

// initdb makes a cluster in the empty directory dir. The C locale makes one sort order for every machine.
func initdb(ctx context.Context, o Options, dir, password string, as account) error {
	if err := as.own(dir); err != nil {
		return err
	}
	secret := dir + ".password" // initdb reads it under its own account, which cannot read the one that stays
	defer os.Remove(secret)
	if err := writeWhole(secret, password, as); err != nil {
		return err
	}
	args := []string{"-D", dir, "-U", superuser, "--pwfile=" + secret, "--auth-host=scram-sha-256",
		"--auth-local=scram-sha-256", "--encoding=UTF8", "--no-locale"}
	if o.Volatile {
		args = append(args, "--no-sync")
	}
	cmd := exec.Command(filepath.Join(o.BinDir, "initdb"), args...)
	cmd.Dir = filepath.Dir(dir)
	run, err := spawn(cmd, as, nil) // half a page of advice about pg_ctl; the end of it is kept for errors
	if err != nil {
		return err
	}
	select {
	case <-run.Done():
	case <-ctx.Done():
		_ = run.Signal(syscall.SIGKILL) // the server that it runs ends with its input
		<-run.Done()
		return ctx.Err()
	}
	if run.Err() != nil {
		return fmt.Errorf("cannot make a Postgres cluster in %s: %s", o.Dir, run.output.last("error:", "FATAL:", "PANIC:"))
	}
	return nil
}

// writeWhole writes a private file so that it appears whole or not at all.
func writeWhole(path, content string, owner account) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		return err
	}
	if err := owner.own(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// programsFor returns the programs that fit the cluster's major version: Postgres cannot open the files of another
// one. Debian keeps older versions installed beside newer ones, so those are tried before giving up.
func programsFor(binDir, data string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(data); errors.Is(err, fs.ErrNotExist) {
			return binDir, nil // no cluster yet
		}
		return "", fmt.Errorf("%s is not a whole Postgres cluster: delete it to start afresh", data)
	} else if err != nil {
		return "", err
	}
	have := strings.TrimSpace(string(raw))
	candidates := append([]string{binDir}, installed()...)
	for _, dir := range candidates {
		if major, err := majorOf(dir); err == nil && strconv.Itoa(major) == have {
			return dir, nil
		}
	}
	mine, err := majorOf(binDir)
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("the cluster in %s was made by Postgres %s and this is Postgres %d: install version %s, or delete the directory to start afresh",
		data, have, mine, have)
}
