package rest

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer is the public listener with its limits. A request costs a slow or hostile client a connection for
// seconds, never for ever. Operations that stream lift the body limits for themselves, with Limits.
func NewServer(addr string, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		// net/http reads 4 KB beyond this, so the limit a client meets is 16 KB.
		MaxHeaderBytes: 12 << 10,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100},
		// net/http would answer OPTIONS * itself, without our headers and request id.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
