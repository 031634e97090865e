// Command tally runs `go test -json ...`, shows what go test shows without -json, and ends with the number of tests
// that passed, failed and were skipped. It exits with the command's code; it starts no servers, see teststack.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: tally go test -json [ARGUMENT...]")
		os.Exit(2)
	}
	// A Ctrl-C reaches go test too, being for the whole group; we stay to count what it still reports.
	signal.Ignore(os.Interrupt)
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(argv []string) (code int, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	counted := newCount(os.Stdout)
	readErr := counted.read(events)
	err = cmd.Wait()
	counted.summary()
	exit := (*exec.ExitError)(nil)
	switch {
	case readErr != nil:
		return 1, readErr
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1), nil
	case err == nil && counted.failed > 0:
		return 1, errors.New("go test reported failures and exited 0")
	}
	return 0, err
}
