// Package child runs a program as a child process that ends with its parent, as far as the system can see to it. What the
// program is, what it is told and how it is asked to end are its caller's business.
//
// Traps: the kernel sends the parent-death signal when the THREAD that forked ends, and the Go runtime ends idle threads as
// it likes; so one goroutine holds its thread from the fork until the child is gone. And a Ctrl-C in the terminal goes to
// the whole foreground process group, and would stop a server under a parent that still wants to finish its requests; so
// the child has a group of its own.
package child

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a program that was started, or could not be and counts as ended.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid after done
}

// Start starts cmd. orphaned is the signal that the kernel sends the child when we are killed: on Linux only, and not to a
// program with a file capability. The Process is usable even when there is an error.
func Start(cmd *exec.Cmd, orphaned syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	tie(cmd.SysProcAttr, orphaned)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.err = cmd.Start()
		started <- p.err
		if p.err == nil {
			p.err = cmd.Wait()
		}
	}()
	return p, <-started
}

// Done is closed when the program has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the program still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err is how the program ended. It is asked once Done is closed.
func (p *Process) Err() error { return p.err }

// PID is the program's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal goes through os.Process, which sends nothing once the child was reaped: its number may belong to someone else by
// then.
func (p *Process) Signal(sig syscall.Signal) error {
	if p.cmd.Process == nil { // it could not be started
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(sig)
}

// EndsWithin waits until the program has ended, at most for the bound.
func (p *Process) EndsWithin(bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
