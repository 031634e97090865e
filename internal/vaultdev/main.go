// Command vaultdev is a real Vault server for tests and development on a machine where none is installed.
//
// It is a Go module of its own: Vault brings some three hundred modules and a licence (BUSL) that permits this use
// and forbids shipping it, so nothing of it may reach the product's dependency list or image. Package vaultproc
// builds and runs it.
//
// It initialises the storage it is given, or unseals what is there, mounts nothing, and prints one JSON line with
// the address, the root token and the unseal key. Token and AppRole logins and the transit engine are available.
// It listens on loopback only and without TLS, and keeps its unseal key beside its data: it protects nothing.
//
// `vaultdev server -config=FILE` stands in for `vault server -config=FILE`; see cli.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

type options struct {
	listen     string
	storage    string
	cli        bool // as Vault's own program: nobody initialises or unseals for the caller
	info       string
	logLevel   string
	stdinWatch bool
	command    []string
}

func main() {
	code, err := run(os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vaultdev:", err)
	}
	os.Exit(code)
}

func parse(args []string) (o options, err error) {
	if len(args) > 0 && args[0] == "server" {
		return parseServer(args[1:])
	}
	fs := flag.NewFlagSet("vaultdev", flag.ContinueOnError)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback `address` to serve on; port 0 takes a free one")
	fs.StringVar(&o.storage, "storage", "", "`folder` to keep data, unseal key and root token in (default: in memory)")
	fs.StringVar(&o.info, "info", "", "`file` to write the JSON line to, instead of stdout")
	fs.StringVar(&o.logLevel, "log-level", "error", "Vault's log `level`, on stderr")
	fs.BoolVar(&o.stdinWatch, "stdin-watch", false, "stop when stdin closes, so that no server outlives its parent")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	o.command = fs.Args()
	return o, nil
}

// errUsage is a wrong flag, about which package flag has said what there is to say.
var errUsage = errors.New("usage")

func run(args []string, stdin io.Reader, stdout io.Writer) (code int, err error) {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if errors.Is(err, errUsage) {
		return 2, nil
	}
	if err != nil {
		return 1, err
	}
	// Taken before the server starts: a signal during start-up must not leave a half-started command behind.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)

	srv, err := start(context.Background(), o)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	if !o.cli {
		if err := srv.announce(o.info, stdout); err != nil {
			return 1, err
		}
	}
	closed := make(chan struct{})
	if o.stdinWatch {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			close(closed)
		}()
	}
	if len(o.command) > 0 {
		return runCommand(srv, o, signals, closed)
	}
	select {
	case <-signals:
	case <-closed:
	}
	return 0, nil
}
