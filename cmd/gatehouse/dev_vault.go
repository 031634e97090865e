package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/gatehouse-id/gatehouse/internal/child"
)

// vaultStart is how long Vault may take to answer; it takes less than a second on a quiet machine.
const vaultStart = time.Minute

// devVault is a Vault that is installed on the machine, run with file storage in the state folder:
//
//	vault/config.json  what it is started with, written anew each time
//	vault/keys.json    its address, unseal key and root token
//	vault/data         its storage
//	vault.log          its output
//
// It is told from others by its command line. Packages of Vault give the binary a file capability, and for such a
// program the kernel forgets the parent-death signal: an orphan is stopped by the next start.
//
// Tested with the server of internal/vaultdev, which is Vault behind the same command line.
type devVault struct {
	*dev
	binary string
	keys   devVaultKeys
	client *api.Client
	run    *child.Process
}

// devVaultKeys is keys.json. It is written before Vault is initialised, without keys: storage that is initialised then
// is of a start that was killed before it could keep them, and holds nothing.
type devVaultKeys struct {
	Address   string `json:"address"`
	UnsealKey string `json:"unseal_key"`
	RootToken string `json:"root_token"`
}

// runVault starts the binary, which is Vault's or OpenBao's, and leaves it initialised and unsealed.
func (d *dev) runVault(ctx context.Context, binary string) (address, token string, err error) {
	v := &devVault{dev: d, binary: binary}
	if err := v.prepare(); err != nil {
		return "", "", err
	}
	d.say("starting %s ...", binary)
	if err := v.start(); err != nil {
		return "", "", err
	}
	d.cleanup = append(d.cleanup, v.stop)
	if err := v.unlock(ctx); err != nil {
		return "", "", err
	}
	d.watch("Vault", v.run.Done(), "vault.log")
	return v.keys.Address, v.keys.RootToken, nil
}

// prepare reads what an earlier start left, and settles the address: the same as before if it is free.
func (v *devVault) prepare() error {
	if err := os.MkdirAll(v.state.path("vault"), 0o700); err != nil {
		return err
	}
	if err := stopOrphans(v.argument()); err != nil {
		return err
	}
	text, err := os.ReadFile(v.state.path("vault/keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &v.keys)
	}
	_, missing := os.Stat(v.state.path("vault/data"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing == nil:
		return v.damaged("the unseal key of its Vault, vault/keys.json, is gone")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return v.damaged("vault/keys.json cannot be read")
	case v.keys.UnsealKey != "" && missing != nil:
		return v.damaged("the storage of its Vault, vault/data, is gone")
	case v.keys.UnsealKey == "":
		if err := os.RemoveAll(v.state.path("vault/data")); err != nil {
			return err
		}
	}
	listen, err := freeAddress(strings.TrimPrefix(v.keys.Address, "http://"))
	if err != nil {
		return fmt.Errorf("no free port for Vault: %w", err)
	}
	v.keys.Address = "http://" + listen
	if err := v.state.writeJSON("vault/keys.json", v.keys); err != nil {
		return err
	}
	return v.state.writeJSON("vault/config.json", map[string]any{
		"storage":       map[string]any{"file": map[string]any{"path": v.state.path("vault/data")}},
		"listener":      []any{map[string]any{"tcp": map[string]any{"address": listen, "tls_disable": true}}},
		"disable_mlock": true, // an ordinary user may not lock memory
	})
}

func (v *devVault) argument() string { return "-config=" + v.state.path("vault/config.json") }

// freeAddress is the wanted address if nobody listens there, else another one of loopback.
func freeAddress(wanted string) (string, error) {
	if wanted != "" {
		if l, err := net.Listen("tcp", wanted); err == nil {
			return wanted, l.Close()
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (v *devVault) start() error {
	log, err := os.OpenFile(v.state.path("vault.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	v.cleanup = append(v.cleanup, log.Close)
	cmd := exec.Command(v.binary, "server", v.argument())
	cmd.Dir = v.state.path("vault")
	cmd.Stdout, cmd.Stderr = log, log
	// Nothing else of the environment: VAULT_ variables would change what the server does.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.state.path("vault"), "TMPDIR=" + os.TempDir()}
	if v.run, err = child.Start(cmd, syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot start Vault: %w", err)
	}
	v.client, err = api.NewClient(&api.Config{Address: v.keys.Address, Timeout: 10 * time.Second})
	if err != nil {
		return errors.Join(fmt.Errorf("cannot talk to Vault: %w", err), v.stop())
	}
	v.client.ClearToken() // NewClient takes token and namespace from the environment, which may mean another Vault
	v.client.ClearNamespace()
	return nil
}

// stop asks the server to end and kills it if it takes too long.
func (v *devVault) stop() error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = v.run.Signal(sig)
		if v.run.EndsWithin(10 * time.Second) {
			return nil
		}
	}
	return fmt.Errorf("a program that gatehouse dev started does not stop: process %d", v.run.PID())
}

// unlock initialises the server at the first start, and unseals it.
func (v *devVault) unlock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, vaultStart)
	defer cancel()
	var initialised, sealed bool
	err := v.await(ctx, "answer", func() bool {
		s, err := v.client.Sys().SealStatusWithContext(ctx)
		if err == nil {
			initialised, sealed = s.Initialized, s.Sealed
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if initialised != (v.keys.UnsealKey != "") {
		return v.damaged("its Vault in vault/data and the unseal key in vault/keys.json do not belong together")
	}
	if !initialised {
		if err := v.initialise(ctx); err != nil {
			return err
		}
		sealed = true
	}
	if sealed {
		if _, err := v.client.Sys().UnsealWithContext(ctx, v.keys.UnsealKey); err != nil {
			return v.failed("does not take its unseal key", err)
		}
	}
	return v.await(ctx, "unseal", func() bool {
		h, err := v.client.Sys().HealthWithContext(ctx)
		return err == nil && h.Initialized && !h.Sealed && !h.Standby
	})
}

func (v *devVault) initialise(ctx context.Context) error {
	made, err := v.client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return v.failed("cannot be initialised", err)
	}
	if len(made.KeysB64) != 1 {
		return v.failed("cannot be initialised", errors.New("it gave no unseal key"))
	}
	v.keys.UnsealKey, v.keys.RootToken = made.KeysB64[0], made.RootToken
	return v.state.writeJSON("vault/keys.json", v.keys)
}

// await waits until the server does what is asked, as long as it runs.
func (v *devVault) await(ctx context.Context, what string, does func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !does() {
		select {
		case <-v.run.Done():
			return fmt.Errorf("%s ended before it was ready: %s (its log is %s)", v.binary, v.lastWords(), v.state.path("vault.log"))
		case <-ctx.Done():
			return fmt.Errorf("%s did not %s within %s: %w (its log is %s)", v.binary, what, vaultStart, ctx.Err(), v.state.path("vault.log"))
		case <-tick.C:
		}
	}
	return nil
}

func (v *devVault) lastWords() string {
	text, _ := os.ReadFile(v.state.path("vault.log"))
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			return line
		}
	}
	return "it said nothing"
}

func (v *devVault) failed(how string, err error) error {
	return fmt.Errorf("the Vault of the state folder %s: %s", how, strings.Join(strings.Fields(err.Error()), " "))
}
