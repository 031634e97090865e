package pgproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const superuser = "postgres"

// Options say which cluster to start and how.
type Options struct {
	BinDir         string    // from Find or Obtain
	Dir            string    // the cluster directory; made if missing
	Port           int       // on 127.0.0.1; 0: a free one
	Volatile       bool      // no syncs at all: fast, and lost in a crash of the machine; for tests only
	MaxConnections int       // 0: 60
	Log            io.Writer // gets the server's log; nil: nowhere
}

// Server is a running cluster. Its methods may be called from any goroutine.
type Server struct {
	options  Options
	home     string // where data/ is
	as       account
	password string

	mu   sync.Mutex // held for a whole Stop, Kill or Restart: they exclude each other
	port int
	run  *program
	lock *os.File
}

// Start makes the cluster if there is none, stops what an earlier run left on it, and returns once the server takes
// connections. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory for the Postgres cluster: %w", err)
	}
	s := &Server{options: o, port: o.Port}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.unlock()
		return nil, err
	}
	if err := s.launch(ctx); err != nil {
		s.unlock()
		return nil, err
	}
	return s, nil
}

// prepare settles who runs the server, where its data is and with which programs.
func (s *Server) prepare(ctx context.Context) (err error) {
	o := &s.options
	if s.as, err = chooseAccount(whereIs(o.Dir)); err != nil {
		return err
	}
	if s.home, err = place(o.Dir, s.as, o.BinDir); err != nil {
		return err
	}
	if o.BinDir, err = programsFor(o.BinDir, s.data()); err != nil {
		return err
	}
	s.password, err = ensureCluster(ctx, *o, s.home, s.as)
	return err
}

func (s *Server) data() string { return filepath.Join(s.home, "data") }

func (s *Server) unlock() {
	if s.lock != nil {
		unlockDir(s.lock)
		s.lock = nil
	}
}

// SuperuserURL connects as the cluster's superuser. It holds the password.
func (s *Server) SuperuserURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url()
}

func (s *Server) url() string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=disable", superuser, s.password, s.port)
}

// Dir is the cluster directory.
func (s *Server) Dir() string { return s.options.Dir }

// PID is the postmaster's, or 0 when the server is stopped.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil || !s.run.Alive() {
		return 0
	}
	return s.run.PID()
}

// Done is closed when the server that runs now has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	return s.run.Done()
}

// Stop shuts the server down: open transactions are rolled back and everything is on disk. When that takes too long the
// server is told to quit at once, and recovers at its next start. Stopping twice does no harm.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.unlock()
	return s.halt(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL)
}

// Kill ends the server as a crash would, for tests of what follows one.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.unlock()
	_ = s.halt(syscall.SIGKILL)
}

// Restart stops the server if it runs and starts it again on the same port.
func (s *Server) Restart(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.halt(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL); err != nil {
		return err
	}
	if s.lock == nil {
		if s.lock, err = lockDir(s.options.Dir); err != nil {
			return err
		}
	}
	s.options.Port = s.port // clients hold the address
	if err := s.launch(ctx); err != nil {
		s.unlock()
		return err
	}
	return nil
}

// halt sends one signal after the other until the server is gone.
func (s *Server) halt(signals ...syscall.Signal) error {
	if s.run == nil {
		return nil
	}
	bound := 20 * time.Second
	for _, sig := range signals {
		_ = s.run.Signal(sig)
		if s.run.EndsWithin(bound) {
			return nil
		}
		bound = 5 * time.Second
	}
	return errors.New("the Postgres server does not stop")
}
