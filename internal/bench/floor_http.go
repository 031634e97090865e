package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// emptyServer answers every request with nothing, in a process of its own: the least that an HTTP answer takes here.
type emptyServer struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

func startEmpty() (*emptyServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	e := &emptyServer{cmd: exec.Command(self, "empty")}
	e.cmd.Stderr = os.Stderr
	dieWithParent(e.cmd)
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	e.url = "http://" + strings.TrimSpace(address)
	return e, err
}

func (e *emptyServer) stop() error {
	_ = e.stdin.Close()
	return e.cmd.Wait()
}

// ask is one request and its empty answer.
func (e *emptyServer) ask(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	a, err := call{method: http.MethodGet, url: e.url}.do(ctx)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("the empty server answered %d", a.status)
	}
	return time.Since(began), err
}

// serveEmpty is the other side: it says its address, and ends with its input.
func serveEmpty(r io.Reader, w io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	fmt.Fprintln(w, l.Addr())
	_, err = io.Copy(io.Discard, r)
	return err
}
