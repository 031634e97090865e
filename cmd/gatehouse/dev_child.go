package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a program that gatehouse dev runs. It is in a process group of its own: a Ctrl-C in the terminal goes to the
// whole foreground group, and would stop it under requests that are still being answered.
type child struct {
	process *os.Process
	done    chan struct{} // closed when the program has ended
}

// startChild starts the command on a thread that it keeps until the program has ended: the kernel sends the
// parent-death signal when the thread that forked ends, and the Go runtime ends idle threads as it likes.
func startChild(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = childAttributes()
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended is in its log
			close(c.done)
		}
	}()
	return c, <-started
}

// stop asks the program to end and kills it if it takes too long.
func (c *child) stop() error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = c.process.Signal(sig)
		select {
		case <-c.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return errors.New("a program that gatehouse dev started does not stop: process " + strconv.Itoa(c.process.Pid))
}

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
