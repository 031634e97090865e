package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// runCommand runs the command with VAULT_ADDR and VAULT_TOKEN set, passes signals on to it and returns its exit
// code: as a shell reports it, 128 + n for a command ended by signal n. The server stays until the command has ended. A
// Ctrl-C reaches the command twice, from the terminal and from here.
func runCommand(srv *server, o options, signals <-chan os.Signal, closed <-chan struct{}) (int, error) {
	cmd := exec.Command(o.command[0], o.command[1:]...)
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+srv.address, "VAULT_TOKEN="+srv.keys.RootToken)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = dieWithParent()
	if !o.stdinWatch {
		cmd.Stdin = os.Stdin
	}
	if err := cmd.Start(); err != nil {
		return 127, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case <-closed:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			closed = nil
		case err := <-done:
			return exitCode(err)
		}
	}
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
