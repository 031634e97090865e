// Package vaultproc builds and runs a real Vault server for tests and for `gatehouse dev`, where none is installed.
//
// The server is the nested Go module internal/vaultdev, built with the go command from the checkout it is called
// in. The binary is kept in the user's cache folder under a hash of the module's sources, so it is built once per
// machine and again when the module changes. Building takes minutes and downloads half a gigabyte the first time.
//
// It is a tool: one server per Start, on a loopback port, with its root token in the open. No production path uses it.
//
// Traps: a test binary that panics or is killed runs no clean-up. The server therefore watches its stdin, whose other
// end is ours, and ends with us whatever happens to us.
package vaultproc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const modulePath = "github.com/gatehouse-id/gatehouse"

// Build returns the path of the vaultdev binary and builds it first if this machine has none of these sources. The
// working folder must be inside the checkout and the go command in PATH. Progress lines go to progress (nil for
// none): a first build takes minutes. Two processes never build at once; the second waits for the first.
func Build(ctx context.Context, progress io.Writer) (binary string, err error) {
	if progress == nil {
		progress = io.Discard
	}
	source, err := sourceFolder()
	if err != nil {
		return "", err
	}
	sum, err := hashSources(source)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gatehouse", "vaultdev-"+sum)
	binary = filepath.Join(dir, "vaultdev")
	if isFile(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if locked, _ := lock.TryLock(); !locked {
		say(progress, "waiting for another process that is building Vault ...")
		if _, err := lock.TryLockContext(ctx, 250*time.Millisecond); err != nil {
			return "", fmt.Errorf("vaultproc: wait for the build lock: %w", err)
		}
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if isFile(binary) { // built while we waited
		return binary, nil
	}
	return binary, compile(ctx, source, binary, progress)
}

// compile builds under a temporary name, so that a build cut short leaves nothing that looks finished.
func compile(ctx context.Context, source, binary string, progress io.Writer) error {
	began := time.Now()
	say(progress, "building Vault from its Go module: once, some minutes ...")
	partial := binary + ".partial"
	cmd := exec.CommandContext(ctx, "go", "build", "-C", source, "-mod=readonly", "-ldflags=-s -w", "-o", partial, ".")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out

	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			say(progress, "still building Vault, %s so far ...", time.Since(began).Round(time.Second))
		case err := <-done:
			if err != nil {
				return fmt.Errorf("vaultproc: build vaultdev: %w\n%s", errors.Join(err, ctx.Err()), out.Bytes())
			}
			say(progress, "built Vault in %s", time.Since(began).Round(time.Second))
			return os.Rename(partial, binary)
		}
	}
}

// sourceFolder walks up from the working folder to the module's root: go test runs in the folder of the package.
func sourceFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module "+modulePath+"\n") {
			return filepath.Join(dir, "internal", "vaultdev"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("vaultproc: not inside a checkout of " + modulePath)
		}
		dir = parent
	}
}

// hashSources names a build: any change to the module's go.mod, go.sum or code is another binary.
func hashSources(dir string) (string, error) {
	h := sha256.New()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("vaultproc: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || (name != "go.mod" && name != "go.sum" && filepath.Ext(name) != ".go") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("vaultproc: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
