package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is a line of go test -json, see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
}

// test names a test, or with an empty name its whole package.
type test struct{ pkg, name string }

// count adds up the events. The output of a test is kept until it is known whether anyone needs to see it.
type count struct {
	out                     io.Writer
	kept                    map[test]*strings.Builder
	failures                map[string]int // by package
	passed, failed, skipped int
	skips                   []test
}

func newCount(out io.Writer) *count {
	return &count{out: out, kept: map[test]*strings.Builder{}, failures: map[string]int{}}
}

func (c *count) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				_, _ = c.out.Write(line) // go itself complaining
			} else {
				c.add(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *count) add(e event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		if c.kept[t] == nil {
			c.kept[t] = &strings.Builder{}
		}
		if !strings.HasPrefix(e.Output, "=== ") { // RUN, PAUSE, CONT: go test -json implies -v
			c.kept[t].WriteString(e.Output)
		}
	case "build-output":
		fmt.Fprint(c.out, e.Output)
	case "pass", "fail", "skip":
		c.end(t, e.Action)
	}
}

// end counts a test, or closes a package. A package that failed although none of its tests did (it does not compile, its
// TestMain failed, it was killed) counts as one failure, so that a failed run never says that nothing failed.
func (c *count) end(t test, action string) {
	output := ""
	if kept := c.kept[t]; kept != nil {
		output = kept.String()
		delete(c.kept, t)
	}
	switch {
	case t.name == "":
		if action == "fail" && c.failures[t.pkg] == 0 {
			c.failed++
			c.unfinished(t.pkg)
		}
		fmt.Fprint(c.out, packageLines(output, action))
	case action == "fail":
		c.failed++
		c.failures[t.pkg]++
		fmt.Fprint(c.out, output)
	case action == "skip":
		c.skipped++
		c.skips = append(c.skips, t)
	default:
		c.passed++
	}
}

// unfinished shows what tests wrote that never ended: the package was killed or timed out under them.
func (c *count) unfinished(pkg string) {
	for t, kept := range c.kept {
		if t.pkg == pkg {
			fmt.Fprint(c.out, kept.String())
			delete(c.kept, t)
		}
	}
}

// packageLines is what go test shows of a package: all of it when it failed, else the line with its name.
func packageLines(output, action string) string {
	if action == "fail" {
		return output
	}
	shown := ""
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			shown += line
		}
	}
	return shown
}

func (c *count) summary() {
	for _, t := range c.skips {
		fmt.Fprintf(c.out, "skipped: %s %s\n", t.pkg, t.name)
	}
	fmt.Fprintf(c.out, "%d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		fmt.Fprintf(c.out, ", %d skipped", c.skipped)
	}
	fmt.Fprintln(c.out)
}
