package pgproc

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// waitDelay bounds the wait for a child's output after the child is gone: a grandchild can hold the pipe open.
const waitDelay = 2 * time.Second

// child is a started program.
type child struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{} // closed when the program has ended and was reaped
	err    error         // valid after done
}

// spawn starts cmd under the account, in its own process group: a Ctrl-C in the terminal goes to the whole foreground
// group, and would stop the server under a parent that still wants to finish its requests.
//
// The kernel sends the parent-death signal when the THREAD that forked ends, and the Go runtime ends idle threads as it
// likes. So one goroutine holds its thread from the fork until the child is gone.
func spawn(cmd *exec.Cmd, as account, log io.Writer) (*child, error) {
	c := &child{cmd: cmd, output: &tail{next: log}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c.output, c.output
	cmd.Env = environment()
	cmd.WaitDelay = waitDelay
	cmd.SysProcAttr = attributes()
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Credential = as.credential

	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// environment is a short list on purpose: PG* variables would redirect the programs, LC_* change the messages that are
// looked for below, and the caller's secrets are no business of the server.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// alive tells whether the program still runs.
func (c *child) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// signal goes through os.Process, which sends nothing once the child was reaped: its number may belong to someone else
// by then.
func (c *child) signal(sig syscall.Signal) {
	if c.cmd.Process != nil { // nil: it could not be started
		_ = c.cmd.Process.Signal(sig)
	}
}

// waitFor waits until the program has ended, at most for the bound.
func (c *child) waitFor(bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-timer.C:
		return false
	}
}
