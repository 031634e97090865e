// Command gatehouse is the whole service in one binary: the server, the development platform, migrations, and the
// commands of operators. `gatehouse help` lists them.
//
// main does nothing but call run, which gets everything it needs as arguments. wiring.go puts the parts together,
// surface.go is the whole HTTP surface.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(oneSignal, stop) })
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse: "+err.Error())
		os.Exit(1)
	}
}

// oneSignal is how long signals are taken for one: a Ctrl-C can reach us twice, from the terminal and from a program that
// runs us. After it a second one ends the process at once, whatever is still under way.
const oneSignal = time.Second

// process is what a command gets from the outside world.
type process struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := process{getenv, stdin, stdout, stderr}
	root := &cobra.Command{
		Use:           "gatehouse",
		Short:         "A multi-tenant identity service",
		Version:       version(),
		SilenceErrors: true, // main prints the error, once
		SilenceUsage:  true, // a database that is down is not a reason to explain the flags
	}
	root.AddCommand(serveCommand(p), devCommand(p), migrateCommand(p), platformCommand(p), tenantCommand(p), domainCommand(p), userCommand(p), policyCommand(p), keyCommand(p), passwordsCommand(p), auditCommand(p), doctorCommand(p))
	for _, c := range root.Commands() {
		refuseUnknown(c)
	}
	root.SetVersionTemplate("gatehouse {{.Version}}\n")
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// refuseUnknown has a command that only holds others refuse one that it does not hold. cobra would show its help and succeed, and
// a script would believe that what it misspelled was done.
func refuseUnknown(c *cobra.Command) {
	if c.Runnable() || !c.HasSubCommands() {
		return
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	}
}

// version is what go build has written into the program: the tag or commit it was built from, and the Go version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of an unknown version"
	}
	return info.Main.Version + " " + info.GoVersion
}
