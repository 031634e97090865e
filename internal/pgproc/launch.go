package pgproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	saysPortTaken = "Address already in use"
	saysOldMemory = "pre-existing shared memory block"
)

// launch starts the postmaster and waits until it answers. Two failures pass by themselves and are tried again: a port
// that someone took between the choice and the bind, and shared memory that the backends of a killed
// server have not let go yet.
func (s *Server) launch(ctx context.Context) error {
	if err := stopLeftovers(s.data()); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		if s.options.Port == 0 {
			port, err := freePort()
			if err != nil {
				return err
			}
			s.port = port
		} else if err := portFree(s.port); err != nil {
			return err
		}
		err := s.launchOnce(ctx)
		if err == nil {
			return nil
		}
		said := s.run.output.String()
		again := strings.Contains(said, saysOldMemory) || s.options.Port == 0 && strings.Contains(said, saysPortTaken)
		if !again || attempt == 20 || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (s *Server) launchOnce(ctx context.Context) error {
	cmd := exec.Command(filepath.Join(s.options.BinDir, "postgres"), append([]string{"-D", s.data()}, settings(s.options, s.port)...)...)
	cmd.Dir = s.home
	run, err := spawn(cmd, s.as, s.options.Log)
	s.run = run
	if err != nil {
		return fmt.Errorf("cannot start Postgres: %w", err)
	}
	if err := s.await(ctx); err != nil {
		_ = s.halt(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL)
		return err
	}
	return nil
}

// await returns when the server is ready. There is no bound but the context's: recovery after a crash takes what it
// takes, and a server that cannot start ends by itself.
func (s *Server) await(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !s.ready() {
		select {
		case <-s.run.Done():
			return s.explain()
		case <-ctx.Done():
			return fmt.Errorf("the start of Postgres was given up: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return s.greet(ctx)
}

// ready reads the state that the postmaster keeps in line 8 of its pid file, as pg_ctl does. The number in line 1 tells
// the file of this server from one that a crash left.
func (s *Server) ready() bool {
	raw, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(raw), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[0]) == strconv.Itoa(s.run.PID()) && strings.TrimSpace(lines[7]) == "ready"
}

// greet proves that the kept password opens the server.
func (s *Server) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url())
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "28P01" {
		return fmt.Errorf("the Postgres cluster in %s does not take the password kept beside it: delete the directory to start afresh", s.options.Dir)
	}
	if err != nil {
		return fmt.Errorf("Postgres was started but does not answer: %w", oneLine(err))
	}
	return conn.Close(ctx)
}

// explain turns the end of the server's log into a sentence.
func (s *Server) explain() error {
	if strings.Contains(s.run.output.String(), saysPortTaken) {
		return fmt.Errorf("cannot start Postgres: port %d on 127.0.0.1 is taken by another program", s.port)
	}
	return fmt.Errorf("Postgres could not start on %s: %s; if this stays, delete %s to start afresh",
		s.data(), s.run.output.last("PANIC:", "FATAL:", "could not "), s.options.Dir)
}
