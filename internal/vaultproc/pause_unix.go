//go:build unix

package vaultproc

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Pause stops the server in mid-air (SIGSTOP): connections stay open and nothing answers, as when a machine hangs. It
// returns once every thread has stopped, where the system tells: the signal is taken by one thread after the other, and
// until the last has it the server still answers.
func (s *Server) Pause() error {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s.stopped() {
			return nil
		}
	}
	return errors.New("vaultproc: the server did not stop")
}

// stopped reports whether all threads are stopped (proc(5): state T). Where there is no /proc it believes so.
func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return true
	}
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(s.proc.PID()), "task", "*", "stat"))
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		// The state follows the name, which is in parentheses and may hold anything.
		if _, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), ") "); ok && !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// Continue undoes Pause.
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return errors.New("vaultproc: the server does not run")
	}
	return s.proc.Signal(sig)
}
