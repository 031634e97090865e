package pgproc

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A parent that died without stopping its server leaves it running with nobody holding the lock. (The parent-death
// signal is absent on some systems, and never sent when the server's parent was replaced, so this cannot be left to it.)
func TestStartStopsAnOrphan(t *testing.T) {
	t.Parallel()
	o, first := startForTest(t)
	first.unlock()
	second, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Stop()
	if pid := first.PID(); pid != 0 {
		t.Errorf("the orphan %d still runs beside %d", pid, second.PID())
	}
}

// After a reboot the number in postmaster.pid may belong to any process; here it is this test's own.
func TestStartIgnoresAReusedProcessNumber(t *testing.T) {
	t.Parallel()
	o, first := startForTest(t)
	file := filepath.Join(first.data(), "postmaster.pid")
	first.Kill()
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getppid())+"\n"+first.data()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.as.own(file); err != nil {
		t.Fatal(err)
	}
	second, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

// initdb killed at any moment, also by a caller that gives up, leaves a directory that the next Start can use.
func TestStartGivenUp(t *testing.T) {
	t.Parallel()
	o := optionsForTest(t)
	for _, bound := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		if server, err := Start(ctx, o); err == nil {
			_ = server.Stop() // a fast machine
		}
		cancel()
		if pids := serversIn(filepath.Join(o.Dir, "data"), 0); len(pids) > 0 {
			t.Errorf("a start given up after %v left the processes %v", bound, pids)
		}
	}
	server, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

func optionsForTest(t *testing.T) Options {
	t.Helper()
	bin, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgproc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return Options{BinDir: bin, Dir: dir, Volatile: true, Log: t.Output()}
}

func startForTest(t *testing.T) (Options, *Server) {
	t.Helper()
	o := optionsForTest(t)
	server, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return o, server
}
