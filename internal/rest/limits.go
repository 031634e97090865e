package rest

import (
	"context"
	"net/http"
	"time"
)

// Limits are the bounds of one operation where they differ from those of all others: a profile picture, an import. Zero
// means the usual bound, a negative number none at all.
type Limits struct {
	Body int64         // bytes; none at all makes it a stream, which Lines answers while it is read
	Time time.Duration // of the whole operation; the connection's read and write deadlines follow it
}

// Apply is h under these limits. It has to stand directly on the route, before anything reads the body.
func (l Limits) Apply(h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		x := exchangeOf(r.Context())
		if x == nil { // a unit test of one handler
			return h(w, r)
		}
		if l.Time != 0 {
			ctx, cancel := l.clock(x, r.Context())
			defer cancel()
			r = r.WithContext(ctx)
			l.connection(w)
		}
		switch {
		case l.Body > 0:
			r.Body = http.MaxBytesReader(x.ResponseWriter, x.body, l.Body)
		case l.Body < 0:
			r.Body, x.stream = x.body, true
		}
		return h(w, r)
	}
}

// clock gives the values of the request and the cancellation of its connection, but another deadline: one can only be
// shortened by deriving a context, so the longer one hangs on the context from before the usual one was set.
func (l Limits) clock(x *exchange, values context.Context) (context.Context, context.CancelFunc) {
	ctx := context.Context(relaxed{Context: x.base, values: values})
	if l.Time < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.Time)
}

// connection moves the deadlines of the connection. A server without them (a test's recorder) has nothing to move.
func (l Limits) connection(w http.ResponseWriter) {
	var until time.Time // zero is none
	if l.Time > 0 {
		until = time.Now().Add(l.Time)
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(until)
	_ = c.SetWriteDeadline(until)
}

type relaxed struct {
	context.Context                 //nolint:containedctx // it is a context
	values          context.Context //nolint:containedctx // it is a context
}

func (c relaxed) Value(key any) any { return c.values.Value(key) }
