package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopOrphans ends programs that were started with this argument by a run that was killed before it could stop them.
// The argument names a file of the state folder, and the caller holds that folder: nobody living needs them.
func stopOrphans(argument string) error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pids := startedWith(argument)
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig)
		}
		for deadline := time.Now().Add(10 * time.Second); len(pids) > 0 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
			pids = startedWith(argument)
		}
		if len(pids) == 0 {
			return nil
		}
	}
	return errors.New("a program of an earlier run is still at work and cannot be stopped: it was started with " + argument)
}

// startedWith lists the processes that have the argument on their command line.
func startedWith(argument string) (pids []int) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		return listedWith(argument)
	}
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(bytes.Split(text, []byte{0}), func(b []byte) bool { return string(b) == argument }) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// listedWith asks ps, where there is no /proc.
func listedWith(argument string) (pids []int) {
	out, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		number, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pid, err := strconv.Atoi(number); err == nil && strings.Contains(command, argument) {
			pids = append(pids, pid)
		}
	}
	return pids
}
