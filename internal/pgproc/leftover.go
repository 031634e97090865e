package pgproc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLeftovers ends the servers that an earlier run left on this data directory: its parent was killed before it could
// stop them. They are stopped and not taken over, because nothing is known of their settings. The caller holds the
// cluster's lock, so no living gatehouse owns them.
//
// A process is only signalled when it is a Postgres at work in exactly this directory. The number in postmaster.pid is
// not enough: after a reboot it may belong to anyone.
func stopLeftovers(data string) error {
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return nil //nolint:nilerr // no directory, no server
	}
	steps := []struct {
		sig   syscall.Signal
		bound time.Duration
	}{{syscall.SIGINT, 10 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}
	for _, step := range steps {
		postmaster := recordedPID(real)
		pids := serversIn(real, postmaster)
		for _, pid := range pids {
			// A living postmaster stops its own backends; orphaned backends are told one by one.
			if pid == postmaster || step.sig == syscall.SIGKILL || !contains(pids, postmaster) {
				_ = syscall.Kill(pid, step.sig)
			}
		}
		for deadline := time.Now().Add(step.bound); len(pids) > 0 && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
			pids = serversIn(real, postmaster)
		}
		if len(pids) == 0 {
			return forgetStalePID(real)
		}
	}
	return fmt.Errorf("a Postgres server of an earlier run is still at work in %s and cannot be stopped", data)
}

func contains(pids []int, pid int) bool {
	for _, p := range pids {
		if p == pid {
			return true
		}
	}
	return false
}

// forgetStalePID removes a postmaster.pid whose number now belongs to a process that is no Postgres of ours: Postgres
// itself would take that process for a running server and refuse to start. With a dead number the file stays, since
// Postgres uses it to clear the shared memory of the crash.
func forgetStalePID(data string) error {
	pid := recordedPID(data)
	if pid <= 0 || syscall.Kill(pid, 0) == syscall.ESRCH {
		return nil
	}
	return os.Remove(filepath.Join(data, "postmaster.pid"))
}

// recordedPID returns the first line of postmaster.pid, or 0.
func recordedPID(data string) int {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return max(pid, -pid) // negative: a single-user server
}

// serversIn lists the Postgres processes at work in the data directory: every one of them has it as working directory.
// Where the system does not show working directories, only the recorded postmaster is looked at.
func serversIn(data string, recorded int) []int {
	var pids []int
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(recorded)).Output()
		if err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), data) {
			pids = append(pids, recorded)
		}
		return pids
	}
	entries, _ := os.ReadDir("/proc") // without /proc there is nothing to find
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "comm"))
		if err != nil || strings.TrimSpace(string(name)) != "postgres" {
			continue // a shell that stands in the directory is not ours to stop
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd")); err == nil && cwd == data {
			pids = append(pids, pid)
		}
	}
	return pids
}
