package vaultproc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"time"
)

// process is one run of the binary. Its stdin is a pipe that stays open as long as we live.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed when the process has ended and err is set
	err   error
}

// ready is the line vaultdev prints once it answers.
type ready struct {
	Address   string `json:"address"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func spawn(ctx context.Context, o Options, listen string) (*process, ready, error) {
	cmd := exec.Command(o.Binary, "-stdin-watch", "-listen", listen, "-storage", o.StorageDir)
	cmd.SysProcAttr = dieWithParent()
	if o.Log != nil {
		cmd.Stderr = o.Log
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, ready{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, ready{}, err
	}
	p := &process{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	if err := p.start(); err != nil {
		return nil, ready{}, err
	}
	r, err := p.await(ctx, stdout)
	if err != nil {
		p.kill()
		return nil, ready{}, errors.Join(err, p.err)
	}
	return p, r, nil
}

// start starts and reaps the process on a thread of its own. Linux sends the parent-death signal when the *thread*
// that started the child ends, not the process; a thread locked to a goroutine that waits for the child outlives it.
func (p *process) start() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

// await reads the line that says the server is ready.
func (p *process) await(ctx context.Context, stdout io.Reader) (r ready, err error) {
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(stdout).ReadBytes('\n')
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		if l.err != nil {
			return r, fmt.Errorf("the server ended before it was ready (see its log): %w", l.err)
		}
		return r, json.Unmarshal(l.text, &r)
	case <-ctx.Done():
		return r, ctx.Err()
	}
}

// stop closes the server's stdin, which is how it is asked to end, and kills it if it takes too long.
func (p *process) stop() error {
	_ = p.stdin.Close()
	select {
	case <-p.done:
		return p.err
	case <-time.After(10 * time.Second):
		p.kill()
		return errors.New("vaultproc: the server did not stop within 10 s and was killed")
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
	_ = p.stdin.Close()
}
