package rest

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// listen runs the real server, with its limits, and gives its address.
func listen(t *testing.T, h http.Handler, change func(*http.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := NewServer("", Middleware(Options{Log: log})(h), log)
	if change != nil {
		change(s)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// raw sends bytes as they are and gives the answer.
func raw(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = io.WriteString(c, request) }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func TestOnTheWire(t *testing.T) {
	host := Handler(func(w http.ResponseWriter, r *http.Request) error {
		return Respond(w, 200, map[string]string{"host": r.Host})
	})
	addr := listen(t, host, nil)
	head := func(line string, headers ...string) string {
		return line + "\r\nHost: acme.example\r\nConnection: close\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
	}
	for _, c := range []struct {
		name, request string
		status        int
		body          string
	}{
		{"a path", head("GET / HTTP/1.1"), 200, "acme.example"},
		{"an absolute target, which net/http puts over Host", head("GET http://evil.example/ HTTP/1.1"), 400, "invalid_request"},
		{"an absolute target of the same host", head("GET http://acme.example/ HTTP/1.1"), 400, "invalid_request"},
		{"a star, which net/http would answer itself", head("OPTIONS * HTTP/1.1"), 400, "invalid_request"},
		{"an authority", head("CONNECT evil.example:443 HTTP/1.1"), 400, "invalid_request"},
		{"15 KB of headers", head("GET / HTTP/1.1", "X-A: "+strings.Repeat("x", 15<<10)), 200, ""},
		{"17 KB of headers", head("GET / HTTP/1.1", "X-A: "+strings.Repeat("x", 17<<10)), 431, ""},
		{"a target of 17 KB", head("GET /" + strings.Repeat("x", 17<<10) + " HTTP/1.1"), 431, ""},
		{"two hosts", head("GET / HTTP/1.1", "Host: evil.example"), 400, ""},
		{"two lengths", head("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := raw(t, addr, c.request)
			if res.StatusCode != c.status || !strings.Contains(body, c.body) {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
}

func TestABodyThatStallsDoesNotHoldTheConnection(t *testing.T) {
	read := Handler(func(w http.ResponseWriter, r *http.Request) error {
		_, err := Decode[signIn](r)
		return err
	})
	addr := listen(t, read, func(s *http.Server) { s.ReadTimeout = 100 * time.Millisecond })
	res, body := raw(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	if res.StatusCode != 400 || !strings.Contains(body, "invalid_request") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestAStreamOutlivesTheUsualTimeouts(t *testing.T) {
	stream := Limits{Body: -1, Time: 5 * time.Second}.Apply(func(w http.ResponseWriter, r *http.Request) error {
		l, n := NewLines(w, r), 0
		for s := bufio.NewScanner(l.Body()); s.Scan(); n++ {
			if err := l.Write(fmt.Appendf(nil, "%d\n", n)); err != nil {
				return err
			}
		}
		if n != 5 {
			return problem.Invalid(fmt.Sprintf("Only %d lines came.", n))
		}
		return l.Close()
	})
	addr := listen(t, stream, func(s *http.Server) {
		s.ReadTimeout, s.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	pr, pw := io.Pipe()
	go func() {
		for range 5 {
			time.Sleep(60 * time.Millisecond)
			_, _ = io.WriteString(pw, "line\n")
		}
		_ = pw.Close()
	}()
	res, err := http.Post("http://"+addr+"/", "application/x-ndjson", pr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "0\n1\n2\n3\n4\n" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestTheServerHasTheDocumentedLimits(t *testing.T) {
	s := NewServer(":1", ok, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout != 10*time.Second || s.WriteTimeout != 30*time.Second ||
		s.IdleTimeout != time.Minute || s.HTTP2.MaxConcurrentStreams != 100 || s.ErrorLog == nil {
		t.Errorf("got %+v", s)
	}
}
