package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pgproc"
	"github.com/gatehouse-id/gatehouse/internal/vaultproc"
)

// stack is an installation and what it stands on. `gatehouse dev` installs it, as it would on anybody's machine, and
// ends; what is measured is `gatehouse serve` on the same Postgres and Vault.
type stack struct {
	binary   string
	dir      string
	port     int // of the first replica, and of the public URL
	vault    *vaultproc.Server
	postgres *pgproc.Server
	names    *nameServer
	hashes   *hasher
	env      []string // the settings that dev wrote for operators
	facts    facts
}

// facts are the part of dev.json that is needed here.
type facts struct {
	Platform struct {
		APIKey string `json:"api_key"`
	} `json:"platform"`
}

// setUp returns what it has even when it fails, so that it can be torn down.
func setUp(ctx context.Context, binary string) (s *stack, err error) {
	s = &stack{}
	if s.binary, err = filepath.Abs(binary); err != nil {
		return s, err
	}
	if s.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return s, err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil { // Postgres runs as another account and has to get through
		return s, err
	}
	programs, err := vaultproc.Build(ctx, os.Stderr)
	if err != nil {
		return s, err
	}
	if s.vault, err = vaultproc.Start(ctx, vaultproc.Options{Binary: programs, StorageDir: s.path("vault")}); err != nil {
		return s, err
	}
	if s.names, err = serveNames(); err != nil {
		return s, err
	}
	if s.hashes, err = startHasher(); err != nil {
		return s, err
	}
	if err := s.install(ctx); err != nil {
		return s, err
	}
	return s, s.startPostgres(ctx, true)
}

func (s *stack) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stack) tearDown(keep bool) error {
	var errs []error
	if s.hashes != nil {
		errs = append(errs, s.hashes.stop())
	}
	if s.names != nil {
		s.names.stop()
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Stop())
	}
	if s.dir != "" && !keep {
		errs = append(errs, pgproc.Remove(s.path("state/postgres")), os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// install runs `gatehouse dev` until it has written what it made.
func (s *stack) install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	cmd := exec.Command(s.binary, "dev", "--state", s.path("state"), "--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+s.vault.Address, "VAULT_TOKEN="+s.vault.RootToken)
	dev, err := launch(cmd, s.path("dev.log"))
	if err != nil {
		return err
	}
	answers := func() bool { return alive("http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/readyz") }
	if err := dev.await(ctx, answers); err != nil {
		return errors.Join(err, dev.stop())
	}
	if err := dev.stop(); err != nil {
		return err
	}
	return s.readInstallation()
}

func (s *stack) readInstallation() error {
	text, err := os.ReadFile(s.path("state/dev.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.facts); err != nil {
		return fmt.Errorf("dev.json: %w", err)
	}
	if text, err = os.ReadFile(s.path("state/env")); err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		setting, ok := strings.CutPrefix(strings.TrimSpace(line), "export GATEHOUSE_")
		name, value, has := strings.Cut(setting, "=")
		if ok && has {
			s.env = append(s.env, "GATEHOUSE_"+name+"="+strings.Trim(value, "'"))
		}
	}
	// A thousand tenants are measured in one database, beside the platform's and those of the demo.
	s.env = append(s.env, "GATEHOUSE_DATABASE_CAPACITY=1100")
	return nil
}

// setting is a value of the operators' environment.
func (s *stack) setting(name string) string {
	for _, e := range s.env {
		if value, ok := strings.CutPrefix(e, "GATEHOUSE_"+name+"="); ok {
			return value
		}
	}
	return ""
}

// startPostgres starts the installation's cluster where its settings say it is: durable, as it would be in production,
// or without syncs while a thousand tenants are made.
func (s *stack) startPostgres(ctx context.Context, durable bool) error {
	u, err := url.Parse(s.setting("DATABASE_URL"))
	if err != nil || u.Port() == "" {
		return errors.New("gatehouse dev wrote no GATEHOUSE_DATABASE_URL")
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return err
	}
	s.postgres, err = s.startCluster(ctx, "postgres", port, durable)
	return err
}

// startCluster starts the cluster of a name, and makes it if there is none. Port 0 is a free one.
func (s *stack) startCluster(ctx context.Context, name string, port int, durable bool) (*pgproc.Server, error) {
	programs, err := pgproc.Obtain(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return pgproc.Start(ctx, pgproc.Options{BinDir: programs, Dir: s.path("state/" + name), Port: port, Volatile: !durable,
		MaxConnections: mostConnections, Log: log})
}

// mostConnections of a cluster: the server's to five databases, twice over, and the floors'.
const mostConnections = 150

// restartPostgres is startPostgres for a cluster that runs otherwise now.
func (s *stack) restartPostgres(ctx context.Context, durable bool) error {
	if err := s.postgres.Stop(); err != nil {
		return err
	}
	s.postgres = nil
	return s.startPostgres(ctx, durable)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
