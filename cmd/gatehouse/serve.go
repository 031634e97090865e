package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
		return serve(c.Context(), cfg, cfg.logger(p.stderr), listener, additions{
			furnish:  func(context.Context, *platform) error { return nil },
			serving:  func() error { return nil },
			stopping: func() {},
		})
	}
	return c
}

// additions are what a way of serving does beside the sequence that serve is.
type additions struct {
	furnish  func(context.Context, *platform) error // before the first request is taken
	serving  func() error                           // requests are taken
	stopping func()                                 // ctx has ended
	ended    <-chan error                           // gets what ended by itself of that which the service stands on
}

// serve puts the platform together, serves until ctx ends, then drains: readiness goes first, so that load balancers stop
// sending, then the listener, then, when the last request is answered, everything behind it.
func serve(ctx context.Context, cfg config, log *slog.Logger, listener net.Listener, a additions) error {
	defer func() { _ = listener.Close() }()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	platform, err := wire(background, cfg, log)
	if err != nil {
		return err
	}
	serving := false
	defer func() {
		stop()
		platform.close()
		if serving {
			log.Info("stopped")
		}
	}()
	if err := platform.checkDatabase(ctx); err != nil {
		return err
	}
	if sentences := platform.misled(ctx); len(sentences) > 0 {
		return errors.New(strings.Join(sentences, "\n"))
	}
	if err := platform.serveMetrics(background); err != nil {
		return fmt.Errorf("GATEHOUSE_METRICS_LISTEN: %w", err)
	}
	platform.start(background)
	if err := a.furnish(ctx, platform); err != nil {
		return err
	}
	h := newHealth(platform)
	server := rest.NewServer(listener.Addr().String(), platform.handler(h), log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "public_url", cfg.Address.Origin(cfg.Address.Shared()), "region", cfg.Region)
	serving = true
	if err := a.serving(); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case err := <-a.ended:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	log.Info("stopping", "delay", cfg.ShutdownDelay.String(), "drain", drain.String())
	a.stopping()
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
