package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
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
		Args:  cobra.NoArgs,
	}
	addFlags(c)
	c.Long = "Serve requests. Each setting is an environment variable; those that are no secret can be given as a flag too, which\n" +
		"goes first. (Arguments can be read by everybody on the machine.) Everything wrong with them is reported at once.\n\n" +
		"Settings:\n\n" + strings.TrimSuffix(settingsHelp(), "\n")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var unsafe error
		cfg, err := readConfig(c, func(name string) string {
			if name != softwareCustody {
				return p.getenv(name)
			}
			if p.getenv(name) != "" {
				unsafe = fmt.Errorf("%s: is for development, serve keeps keys in Vault only", name)
			}
			return ""
		})
		if err := errors.Join(err, unsafe); err != nil {
			return err
		}
		listener, err := net.Listen("tcp", cfg.Listen)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w", cfg.Listen, err)
		}
		return serve(c.Context(), cfg, p, listener)
	}
	return c
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
