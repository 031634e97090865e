package vaultproc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/child"
)

// process is one run of the binary. Its stdin is a pipe that stays open as long as we live.
type process struct {
	*child.Process
	stdin io.Closer
}

// ready is the line vaultdev prints once it answers.
type ready struct {
	Address   string `json:"address"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func spawn(ctx context.Context, o Options, listen string) (*process, ready, error) {
	cmd := exec.Command(o.Binary, "-stdin-watch", "-listen", listen, "-storage", o.StorageDir)
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
	// Killed with us: a second rope beside the watched stdin, for a child that hangs.
	run, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, ready{}, err
	}
	p := &process{run, stdin}
	r, err := p.await(ctx, stdout)
	if err != nil {
		p.kill()
		return nil, ready{}, errors.Join(err, p.Err())
	}
	return p, r, nil
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
	if p.EndsWithin(10 * time.Second) {
		return p.Err()
	}
	p.kill()
	return errors.New("vaultproc: the server did not stop within 10 s and was killed")
}

func (p *process) kill() {
	_ = p.Signal(syscall.SIGKILL)
	<-p.Done()
	_ = p.stdin.Close()
}
