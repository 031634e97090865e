package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// drain is how long requests under way may take to finish once the server accepts no more.
const drain = 25 * time.Second

func serveCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve requests",
		Long: "Serve requests. Every flag can be given as the environment variable named beside it; the flag goes first.\n" +
			"Secrets have no flag, because arguments can be read by everybody on the machine:\n\n" + secretsHelp(),
		Args: cobra.NoArgs,
	}
	addFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := readConfig(c, p.getenv)
		if err != nil {
			return err
		}
		if cfg.SoftwareCustody != "" {
			return fmt.Errorf("%s is for development: serve keeps keys in Vault only", softwareCustody)
		}
		listener, err := net.Listen("tcp", cfg.Listen)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w", cfg.Listen, err)
		}
		return serve(c.Context(), cfg, p, listener)
	}
	return c
}

func secretsHelp() (text string) {
	for _, s := range settings {
		if s.secret {
			text += fmt.Sprintf("  %-40s %s\n", s.env(), s.doc)
		}
	}
	return text
}

// serve serves until ctx ends, then drains: readiness goes first, so that load balancers stop sending, then the listener,
// then, when the last request is answered, everything behind it.
func serve(ctx context.Context, cfg config, p process, listener net.Listener) error {
	log := cfg.logger(p.stderr)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	platform, err := wire(background, cfg, log)
	if err != nil {
		stop()
		_ = listener.Close()
		return err
	}
	defer platform.close()
	defer stop()
	if err := platform.checkDatabase(ctx); err != nil {
		_ = listener.Close()
		return err
	}
	platform.start(background)
	h := newHealth(platform)
	server := rest.NewServer(cfg.Listen, platform.handler(h), log)

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "public_url", cfg.Address.Origin(cfg.Address.Shared()), "region", cfg.Region)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return shutDown(server, h, cfg.ShutdownDelay)
}

func shutDown(server *http.Server, h *health, delay time.Duration) error {
	h.draining.Store(true)
	time.Sleep(delay)
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still running after %s: %w", drain, err), server.Close())
	}
	return nil
}
