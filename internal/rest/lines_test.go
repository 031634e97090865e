package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers each line of a request with a longer one.
func echo(w http.ResponseWriter, r *http.Request) error {
	if err := WantsLines(r); err != nil {
		return err
	}
	l := NewLines(w, r)
	in := bufio.NewScanner(l.Body())
	for n := 1; in.Scan(); n++ {
		if err := l.Write(fmt.Appendf(nil, "%d %s %s\n", n, in.Text(), strings.Repeat("x", 200))); err != nil {
			return err
		}
	}
	return l.Close()
}

func linesServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(Middleware(Options{})(Limits{Body: -1, Time: -1}.Apply(echo)))
	t.Cleanup(s.Close)
	return s
}

// A client that sends all of its lines before it reads one result would wait for the server, and the server for it, once
// the connection is full in both directions. The answer waits elsewhere.
func TestAClientMaySendAllBeforeItReads(t *testing.T) {
	t.Parallel()
	s := linesServer(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const lines = 200_000 // an answer of 42 MB
	body := strings.Repeat("line\n", lines)
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", len(body)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, body); err != nil { // all of it, and nothing was read
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := bufio.NewScanner(res.Body)
	n := 0
	for got.Scan() {
		if n++; !strings.HasPrefix(got.Text(), fmt.Sprintf("%d line x", n)) {
			t.Fatalf("result %d is %.40s", n, got.Text())
		}
	}
	if got.Err() != nil || n != lines {
		t.Errorf("%d results of %d, %v", n, lines, got.Err())
	}
}

// An answer that has not begun is any other: the connection goes on, whatever is left of the body.
func TestAStreamThatIsRefusedIsAnOrdinaryAnswer(t *testing.T) {
	t.Parallel()
	s := linesServer(t)
	for range 3 {
		res, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("a\nb\n"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(string(body), "application/x-ndjson") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		res, err = s.Client().Post(s.URL, "application/x-ndjson", strings.NewReader("a\nb\n"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 200 || strings.Count(string(body), "\n") != 2 || res.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
}
