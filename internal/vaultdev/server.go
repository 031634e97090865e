package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// server is one unsealed Vault and the listener it answers on.
type server struct {
	core    *vault.Core
	http    *http.Server
	address string
	keys    keys
	lock    io.Closer // of the storage, held to the end of the process; nil without storage
}

func start(ctx context.Context, o options) (*server, error) {
	l, err := listenLoopback(o.listen)
	if err != nil {
		return nil, err
	}
	s := &server{address: "http://" + l.Addr().String()}
	if err := s.open(ctx, o); err != nil {
		_ = l.Close()
		return nil, err
	}
	s.http = &http.Server{
		// The handler dereferences a missing ListenerConfig.
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:           s.core,
			ListenerConfig: &configutil.Listener{Type: configutil.TCP, Address: l.Addr().String(), TLSDisable: true},
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "vaultdev:", err)
			os.Exit(1)
		}
	}()
	return s, nil
}

// listenLoopback refuses every other interface: the root token is in the clear and so is the traffic.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("-listen %s: only a loopback address such as 127.0.0.1 is served", address)
	}
	return net.Listen("tcp", address)
}

func (s *server) open(ctx context.Context, o options) (err error) {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.LevelFromString(o.logLevel), Output: os.Stderr})
	if o.storage != "" {
		if s.lock, err = lockFolder(o.storage); err != nil {
			return err
		}
	}
	store, kind, err := openStorage(o.storage, logger)
	if err != nil {
		return err
	}
	s.core, err = vault.NewCore(&vault.CoreConfig{
		Physical:     store,
		StorageType:  kind,
		Logger:       logger,
		RedirectAddr: s.address, // NewCore asks for one although there is no cluster to redirect in
		DisableMlock: true,      // a container seldom grants it, and nothing here is secret
		LogicalBackends: map[string]logical.Factory{
			"transit": transit.Factory,
		},
		CredentialBackends: map[string]logical.Factory{
			"approle": approle.Factory,
		},
		BuiltinRegistry: noPlugins{}, // nil panics at the first mount
	})
	if err != nil {
		return err
	}
	if o.cli {
		return nil
	}
	if s.keys, err = unlock(ctx, s.core, o.storage); err != nil {
		return errors.Join(err, s.core.Shutdown())
	}
	return nil
}

func openStorage(dir string, logger hclog.Logger) (physical.Backend, string, error) {
	if dir == "" {
		b, err := inmem.NewInmem(nil, logger)
		return b, "inmem", err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, "", err
	}
	b, err := file.NewFileBackend(map[string]string{"path": data}, logger)
	return b, "file", err
}

// lockFolder keeps a second server away from the same files, which would damage them. The kernel frees the lock however
// the server ends.
func lockFolder(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another server is running on %s", dir)
	}
	return f, nil
}

func (s *server) stop() error {
	_ = s.http.Close()
	return s.core.Shutdown()
}
