package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The kernel ends a child when the thread that started it ends. The main thread lives as long as we do, so everything is
// started from it.
func init() { runtime.LockOSThread() }

// process is a program that runs until it is stopped.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

func launch(cmd *exec.Cmd, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		_ = log.Close()
		return nil, err
	}
	p := &process{cmd: cmd, log: log, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// await asks again and again until ready says yes.
func (p *process) await(ctx context.Context, ready func() bool) error {
	for !ready() {
		select {
		case err := <-p.done:
			p.done <- err
			text, _ := os.ReadFile(p.log.Name())
			return fmt.Errorf("%s %s ended: %w\n%s", p.cmd.Path, p.cmd.Args[1], err, text[max(0, len(text)-2000):])
		case <-ctx.Done():
			return fmt.Errorf("%s %s is not ready: %w", p.cmd.Path, p.cmd.Args[1], ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// stop asks for an end as an operator would, and waits for it.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		p.done <- err
		return errors.Join(err, p.log.Close())
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("%s %s did not stop", p.cmd.Path, p.cmd.Args[1])
	}
}

// complaint is the last error in the log, if there is one.
func (p *process) complaint() (last string) {
	text, _ := os.ReadFile(p.log.Name())
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level":"ERROR"`) {
			last = "\n" + strings.TrimSpace(line)
		}
	}
	return last
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// replica is a running `gatehouse serve`.
type replica struct {
	*process
	url     string        // http://127.0.0.1:PORT
	started time.Duration // from exec to the first /readyz that says yes
}

// serve starts a replica on a port and returns once it is ready.
func (s *stack) serve(ctx context.Context, port int) (*replica, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.Command(s.binary, "serve", "--listen", address, "--shutdown-delay", "0s", "--dns-server", s.names.address)
	cmd.Env = append(os.Environ(), s.env...)
	began := time.Now()
	p, err := launch(cmd, s.path("serve-"+strconv.Itoa(port)+".log"))
	if err != nil {
		return nil, err
	}
	r := &replica{process: p, url: "http://" + address}
	if err := p.await(ctx, func() bool { return alive(r.url + "/readyz") }); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	r.started = time.Since(began)
	return r, nil
}

// prober opens a connection for each question: before the server listens there is none to keep.
var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}

func alive(url string) bool {
	res, err := prober.Get(url) //nolint:noctx // the client's timeout bounds it
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
