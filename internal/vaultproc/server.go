package vaultproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"
)

// Options says how to run a server.
type Options struct {
	// Binary is the path that Build returned.
	Binary string
	// StorageDir keeps the server's data, unseal key and root token between runs. Empty: a temporary folder that
	// Stop removes.
	StorageDir string
	// Log receives the server's log; nil discards it.
	Log io.Writer
}

// Server is a running Vault, initialised and unsealed, with nothing mounted. Its methods may be called by several
// goroutines.
type Server struct {
	Address   string // for example http://127.0.0.1:40123; the same after Restart
	RootToken string

	options   Options
	temporary bool
	unsealKey string

	mu   sync.Mutex
	proc *process
}

// Start runs a server on a free loopback port and returns when it answers. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{options: o}
	if o.StorageDir == "" {
		dir, err := os.MkdirTemp("", "gatehouse-vault-*")
		if err != nil {
			return nil, err
		}
		s.options.StorageDir, s.temporary = dir, true
	}
	if err := s.launch(ctx, "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, s.cleanUp())
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context, listen string) error {
	proc, ready, err := spawn(ctx, s.options, listen)
	if err != nil {
		return fmt.Errorf("vaultproc: start: %w", err)
	}
	s.proc, s.Address, s.RootToken, s.unsealKey = proc, ready.Address, ready.RootToken, ready.UnsealKey
	return nil
}

// PID is the server's process id, or 0 when it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.PID()
}

// Stop ends the server and removes its storage if Start made it. Stopping twice is no error.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.proc != nil {
		err = s.proc.stop()
		s.proc = nil
	}
	return errors.Join(err, s.cleanUp())
}

// Kill ends the server at once, as a crash would (SIGKILL), and keeps its storage for Restart.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Restart runs the server again on the same port and storage, after stopping it if it still runs. Keys and tokens
// survive; connections do not.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		if err := s.proc.stop(); err != nil {
			return err
		}
		s.proc = nil
	}
	u, err := url.Parse(s.Address)
	if err != nil {
		return err
	}
	return s.launch(ctx, u.Host)
}

func (s *Server) cleanUp() error {
	if !s.temporary {
		return nil
	}
	return os.RemoveAll(s.options.StorageDir)
}
