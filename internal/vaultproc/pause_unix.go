//go:build unix

package vaultproc

import (
	"errors"
	"syscall"
)

// Pause stops the server in mid-air (SIGSTOP): connections stay open and nothing answers, as when a machine hangs.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Continue undoes Pause.
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return errors.New("vaultproc: the server does not run")
	}
	return s.proc.cmd.Process.Signal(sig)
}
