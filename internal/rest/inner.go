package rest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Inner is a request that the service makes to itself while it answers another: a page that signs somebody in by the same
// operation as any other client. It comes from the same client and host, under the same request id, ends when the connection
// does or when its own time is over, and carries no credential but the one it is given. Path is escaped already.
type Inner struct {
	Method, Path string
	Query        url.Values
	Bearer       string // access token; empty: none
	Body         []byte // JSON; nil: none
}

// InnerAnswer is the whole answer to an Inner.
type InnerAnswer struct {
	Status int
	Header http.Header
	Body   bytes.Buffer
}

// passedOn is what of the outer request tells where it comes from and where to; the rest of its headers, cookies and
// credentials above all, are between the browser and the page.
var passedOn = []string{"User-Agent", "X-Forwarded-For", "X-Forwarded-Host"}

// Do has h answer the request on behalf of outer. The access log gets a line for it, too.
func (i Inner) Do(h http.Handler, outer *http.Request) *InnerAnswer {
	started := time.Now()
	a := &InnerAnswer{Header: http.Header{}}
	x := &exchange{ResponseWriter: answerWriter{a}, log: slog.Default(), body: io.NopCloser(bytes.NewReader(i.Body)), base: outer.Context()}
	if o := exchangeOf(outer.Context()); o != nil {
		x.id, x.client, x.log, x.base = o.id, o.client, o.log, o.base
		o.mu.Lock()
		x.attrs = []slog.Attr{slog.String("page", o.route)}
		o.mu.Unlock()
	}
	r := i.request(context.WithValue(outer.Context(), exchangeKey{}, x), outer, x.body)
	i.serve(h, x, r, started)
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	return a
}

// serve is one operation with its line in the log; a panic in it is an answer like any other.
func (i Inner) serve(h http.Handler, x *exchange, r *http.Request, started time.Time) {
	defer x.finish(r.Context(), i.Method, started)
	defer x.recover(r)
	h.ServeHTTP(x, r)
}

func (i Inner) request(ctx context.Context, outer *http.Request, body io.ReadCloser) *http.Request {
	path, err := url.PathUnescape(i.Path)
	if err != nil {
		path = i.Path
	}
	u := &url.URL{Path: path, RawPath: i.Path, RawQuery: i.Query.Encode()}
	r := &http.Request{
		Method: i.Method, URL: u, RequestURI: u.RequestURI(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Host: outer.Host, RemoteAddr: outer.RemoteAddr, TLS: outer.TLS, Body: body, ContentLength: int64(len(i.Body)),
	}
	for _, name := range passedOn {
		if values := outer.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	if i.Body != nil {
		r.Header["Content-Type"] = jsonUTF8
	}
	if i.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+i.Bearer)
	}
	return r.WithContext(ctx)
}

type answerWriter struct{ *InnerAnswer }

// Header is that of the answer.
func (w answerWriter) Header() http.Header { return w.InnerAnswer.Header }

// WriteHeader keeps the first status.
func (w answerWriter) WriteHeader(status int) {
	if w.Status == 0 {
		w.Status = status
	}
}

// Write keeps the body.
func (w answerWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.Body.Write(b)
}
