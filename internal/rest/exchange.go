package rest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
)

// exchange is one request and its answer, as the middleware sees them. It is the ResponseWriter of the handlers too, so
// that a request costs one allocation and not one per concern.
type exchange struct {
	http.ResponseWriter
	id     string
	client netip.Addr
	log    *slog.Logger
	base   context.Context //nolint:containedctx // of the connection, without the deadline of the request; lives as long as the exchange
	body   io.ReadCloser   // without the limit
	stream bool            // the body has no limit and is read while it comes
	status int             // 0 until the header was sent
	bytes  int64
	cut    bool // the connection was ended on purpose

	mu    sync.Mutex // handlers may start goroutines that log
	attrs []slog.Attr
	route string
}

type exchangeKey struct{}

// exchangeOf finds the exchange of a request; nil outside Middleware, as in a unit test of one handler.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// RequestID is the id this service gave the request; empty outside Middleware.
func RequestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// ClientIP is the address the request came from, as far as trusted proxies tell; the zero Addr when unknown. It never has
// a zone and is never an IPv4-mapped IPv6 address, so it can be a key of a counter.
func ClientIP(ctx context.Context) netip.Addr {
	if x := exchangeOf(ctx); x != nil {
		return x.client
	}
	return netip.Addr{}
}

// Log is the logger of the request: it names the request and all attributes added so far.
func Log(ctx context.Context) *slog.Logger {
	x := exchangeOf(ctx)
	if x == nil {
		return slog.Default()
	}
	return x.logger()
}

// AddLogAttrs adds attributes (tenant, user) to every later line of the request and to its access log line. Never a
// secret, and never a name the client chose freely.
func AddLogAttrs(ctx context.Context, attrs ...slog.Attr) {
	if x := exchangeOf(ctx); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.attrs = append(x.attrs, attrs...)
	}
}

func (x *exchange) logger() *slog.Logger {
	x.mu.Lock()
	defer x.mu.Unlock()
	args := make([]any, 0, len(x.attrs)+1)
	args = append(args, slog.String("request_id", x.id))
	for _, a := range x.attrs {
		args = append(args, a)
	}
	return x.log.With(args...)
}

// setRoute notes the template of the matched route, which unlike the path holds no id and no token.
func (x *exchange) setRoute(template string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if template != "" {
		x.route = template
	}
}

// WriteHeader notes the status. Informational ones (1xx) are not the answer yet.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection, for streams and their deadlines.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush is for libraries that look for http.Flusher instead.
func (x *exchange) Flush() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	_ = http.NewResponseController(x.ResponseWriter).Flush()
}
