// Command teststack runs a command, usually `go test ./...`, with one Postgres and one Vault for all of its tests, and
// exits with the command's code. It knows nothing of tests beyond the environment that testenv reads.
//
//	go run ./internal/testenv/teststack -- go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func main() {
	argv := os.Args[1:]
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		fmt.Fprintln(os.Stderr, "usage: teststack -- COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	code, err := run(argv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "teststack:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run starts the servers, runs the command and stops the servers, whatever happens between.
func run(argv []string) (code int, err error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	stack, err := start(signals)
	defer func() { err = errors.Join(err, stack.stop()) }()
	if err != nil {
		return 1, err
	}
	return execute(argv, stack.env, signals)
}

type stack struct {
	env   []string
	stops []func() error
}

// start brings both servers up at the same time: building Vault takes minutes the first time. A signal gives up.
func start(signals <-chan os.Signal) (stack, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		select {
		case sig := <-signals:
			cancel(fmt.Errorf("%v while starting", sig))
		case <-ctx.Done():
		}
	}()
	var postgres, address, token string
	var stopPostgres, stopVault func() error
	group, either := errgroup.WithContext(ctx) // one that fails stops the other
	group.Go(func() (err error) {
		postgres, stopPostgres, err = testenv.StartPostgres(either)
		return err
	})
	group.Go(func() (err error) {
		address, token, stopVault, err = testenv.StartVault(either)
		return err
	})
	err := group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what was interrupted says only "context canceled"
	}
	s := stack{env: []string{testenv.EnvPostgres + "=" + postgres, testenv.EnvVaultAddr + "=" + address, testenv.EnvVaultToken + "=" + token}}
	for _, stop := range []func() error{stopPostgres, stopVault} {
		if stop != nil {
			s.stops = append(s.stops, stop)
		}
	}
	return s, err
}

func (s stack) stop() error {
	var errs []error
	for _, stop := range s.stops {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

// execute runs the command and passes signals on to it. The servers stay until it has ended: tests that still run their
// clean-up need them.
func execute(argv, env []string, signals <-chan os.Signal) (code int, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-signals:
				_ = cmd.Process.Signal(sig)
			case <-ended:
				return
			}
		}
	}()
	err = cmd.Wait()
	close(ended)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // -1: a signal ended it
	}
	return 0, err
}
