package rest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// DefaultTimeout is how long an operation may take that does not say otherwise.
const DefaultTimeout = 8 * time.Second

// Options of the middleware. The zero value is safe: no proxy is trusted, HSTS is off, the usual limits hold.
type Options struct {
	Log            *slog.Logger   // slog.Default when nil
	HTTPS          bool           // clients reach us by TLS, ours or a proxy's: send HSTS
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For is believed
	BodyLimit      int64          // bytes; DefaultBodyLimit when 0
	Timeout        time.Duration  // DefaultTimeout when 0
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.BodyLimit == 0 {
		o.BodyLimit = DefaultBodyLimit
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return o
}

// Middleware goes around the router: every answer of the service, errors and unknown paths included, passes it.
func Middleware(o Options) func(http.Handler) http.Handler {
	o = o.withDefaults()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, next) })
	}
}

func (o Options) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	started := time.Now()
	x := &exchange{
		ResponseWriter: w,
		id:             rand.Text(), // ours alone: a client's id could collide, or hold another's, or a line of log
		client:         clientAddr(r, o.TrustedProxies),
		log:            o.Log,
		base:           r.Context(),
		body:           r.Body,
	}
	o.headers(w.Header(), x.id)

	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), exchangeKey{}, x), o.Timeout)
	defer cancel()
	method := r.Method
	r = r.WithContext(ctx)
	// The server's own writer, not ours: MaxBytesReader tells it to close the connection.
	r.Body = http.MaxBytesReader(w, r.Body, o.BodyLimit)

	defer x.finish(ctx, method, started)
	defer x.recover(r)
	if !originForm(r) {
		Fail(x, r, problem.Invalid("The request target must be a path."))
		return
	}
	next.ServeHTTP(x, r)
}

// headers sets what every answer carries (ASVS 5.0 section 3.4); a handler that serves pages replaces the policy.
func (o Options) headers(h http.Header, id string) {
	h["X-Request-Id"] = []string{id}
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = apiCSP
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Cache-Control"] = noStore
	if o.HTTPS {
		h["Strict-Transport-Security"] = hsts
	}
}

// originForm reports whether the target is a path (RFC 9112 section 3.2.1). The absolute form would override Host, by
// which the tenant is found, behind the back of a proxy that looked at Host; the others (`*`, an authority) name nothing.
func originForm(r *http.Request) bool {
	return strings.HasPrefix(r.RequestURI, "/") && r.URL.Host == ""
}

// recover turns a panic into a 500. http.ErrAbortHandler is how a handler cuts the connection, and is passed on.
func (x *exchange) recover(r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // a panic value, which nobody wraps
		x.cut = true
		panic(v)
	}
	err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	Fail(x, r, problem.Internal(err))
}

// finish writes the access log line. The path and query are left out, they may hold link tokens; the route's template
// says as much. A status of 0 is a connection that was cut before an answer.
func (x *exchange) finish(ctx context.Context, method string, started time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	status, route := x.status, x.route
	if status == 0 && !x.cut { // net/http answers for a handler that wrote nothing
		status = http.StatusOK
	}
	if route == "" {
		route = "unmatched"
	}
	attrs := make([]slog.Attr, 0, 8+len(x.attrs))
	attrs = append(attrs,
		slog.String("request_id", x.id),
		slog.String("method", method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("bytes", x.bytes),
		slog.Float64("duration_ms", float64(time.Since(started).Microseconds())/1000),
		slog.String("client", x.client.String()),
	)
	x.log.LogAttrs(ctx, slog.LevelInfo, "request", append(attrs, x.attrs...)...)
}
