package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// operator runs a command of an operator with the platform put together but not serving.
func operator(p process, do func(context.Context, *platform, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(c, p.getenv)
		if err != nil {
			return err
		}
		cfg.LogLevel, cfg.localNames = quiet(cfg.LogLevel), cfg.Region == devRegion
		platform, err := wire(c.Context(), cfg, cfg.logger(p.stderr))
		if err != nil {
			return err
		}
		defer platform.close()
		if err := platform.checkDatabase(c.Context()); err != nil {
			return err
		}
		return plain(do(c.Context(), platform, args))
	}
}

// quiet is the level of a command's log: of what a server notes in passing, a person at a terminal wants to know only what is
// wrong.
func quiet(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelWarn
	}
	return l
}

// plain says a refusal as an operator wants to read it: the sentence that a client gets, or what it says about single
// fields. Of what is broken it is the cause, which clients are not told.
func plain(err error) error {
	p, ok := errors.AsType[*problem.Error](err)
	switch {
	case !ok:
		return oneLine(err)
	case p.Cause != nil && (p.Kind == problem.KindInternal || p.Kind == problem.KindUnavailable || p.Kind == problem.KindNotFound):
		return oneLine(p.Cause)
	}
	text := strings.TrimSuffix(p.Message, ".")
	if fields, ok := p.Details["fields"].(map[string]string); ok && len(fields) > 0 { // which say it all
		var all []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			says := strings.TrimSuffix(fields[name], ".")
			if !strings.HasPrefix(says, "The "+name) { // else it is a sentence already
				says = name + " " + says
			}
			all = append(all, says)
		}
		text = strings.Join(all, "; ")
	}
	return errors.New(strings.ToLower(text[:1]) + text[1:])
}

// exactly wants n arguments and answers any other number with the usage.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("wanted is: %s", c.UseLine())
		}
		return nil
	}
}

// tenant finds the tenant an operator names by slug.
func (p *platform) tenant(ctx context.Context, slug string) (tenancy.Tenant, error) {
	s, err := tenancy.ParseSlug(slug)
	if err != nil {
		return tenancy.Tenant{}, fmt.Errorf("%q: %w", slug, err)
	}
	t, err := p.directory.BySlug(ctx, s)
	if errors.Is(err, tenancy.ErrUnknown) {
		return t, p.noTenant(ctx, s)
	}
	return t, err
}

// noTenant says why a slug names nobody who could be worked on: it may be in its time of grace.
func (p *platform) noTenant(ctx context.Context, slug tenancy.Slug) error {
	none := fmt.Errorf("there is no tenant %q", slug)
	found, err := p.anyTenant(ctx, string(slug))
	if err != nil {
		return none
	}
	if t, err := p.directory.Read(ctx, found); err != nil || t.State != tenancy.Deleting {
		return none
	}
	return fmt.Errorf("%s is to be deleted: gatehouse tenant restore %s brings it back", slug, slug)
}

// oneLine keeps an error to one line: the driver's tell of each address on one of its own, and of the same one as often as it
// tried.
func oneLine(err error) error {
	if err == nil || !strings.Contains(err.Error(), "\n") {
		return err
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, " "))
}

// table prints rows in columns.
func table(p process, head string, rows [][]any) error {
	w := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
