package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// linesType is newline-delimited JSON.
const linesType = "application/x-ndjson"

// WantsLines refuses a body that is not declared as lines of JSON.
func WantsLines(r *http.Request) error {
	if only(r.Header, linesType) != nil {
		e := problem.UnsupportedMedia()
		e.Message = "The request body must be " + linesType + " in UTF-8."
		return e
	}
	return nil
}

// stall is how long a stream may stand still, in either direction; of what is read, how long a line may take.
const stall = 30 * time.Second

// heldInMemory is how much of an answer waits in memory for its client.
const heldInMemory = 256 << 10

// heldInAll is how much of it waits at all, the rest of it in a file without a name.
const heldInAll = 512 << 20

// Lines is an answer of lines that is written while the request is read. Many clients send all before they read any;
// written straight to the connection, the answer would fill it, and then both sides would wait for each other. So what a
// client does not take yet waits here.
type Lines struct {
	w http.ResponseWriter
	r *http.Request
	c *http.ResponseController

	whole atomic.Bool // the request was read to its end
	due   time.Time   // when the line that is being read has to be whole

	mu      sync.Mutex
	changed *sync.Cond
	begun   bool
	ended   bool
	err     error
	memory  []byte   // goes first
	file    *os.File // goes then; nil until it is needed
	read    int64    // of the file
	written int64
	done    chan struct{}
}

// NewLines makes the answer of a request under Limits without a bound on its body. It must be closed once it has begun.
func NewLines(w http.ResponseWriter, r *http.Request) *Lines {
	l := &Lines{w: w, r: r, c: http.NewResponseController(w), done: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// Body is the body of the request. It fails once it has stood still for too long.
func (l *Lines) Body() io.Reader { return (*lineBody)(l) }

type lineBody Lines

// Read waits for a line no longer than stall, however many bytes of it come meanwhile. It leaves no deadline behind at the end: from then on the server itself reads, to learn whether the client goes away,
// and would take a passed deadline for that.
func (b *lineBody) Read(p []byte) (int, error) {
	if b.due.IsZero() {
		b.due = time.Now().Add(stall)
	}
	_ = b.c.SetReadDeadline(b.due)
	n, err := b.r.Body.Read(p)
	if bytes.IndexByte(p[:n], '\n') >= 0 {
		b.due = time.Now().Add(stall)
	}
	if errors.Is(err, io.EOF) {
		_ = b.c.SetReadDeadline(time.Time{})
		b.whole.Store(true)
	}
	return n, err
}

// Begun reports whether a part of the answer is under way, so that it cannot be another any more.
func (l *Lines) Begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// Write adds to the answer. It waits only when there is no room left to let the client be slow in.
func (l *Lines) Write(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
	for l.err == nil && !l.hold(p) {
		l.changed.Wait()
	}
	l.changed.Broadcast()
	return l.err
}

func (l *Lines) begin() {
	if l.begun {
		return
	}
	l.begun = true
	// HTTP/1 would read the rest of the body before the first byte of the answer, and cut it at 256 KB. A connection on which
	// both went at once is not used again: net/http may be reading ahead on it while it looks for the next request.
	_ = l.c.EnableFullDuplex()
	l.w.Header().Set("Connection", "close")
	l.w.Header().Set("Content-Type", linesType)
	l.w.WriteHeader(http.StatusOK)
	go l.send()
}

// hold keeps p in its place of the order, if there is room.
func (l *Lines) hold(p []byte) bool {
	if l.written == l.read && len(l.memory)+len(p) <= heldInMemory {
		l.memory = append(l.memory, p...)
		return true
	}
	if l.written-l.read+int64(len(p)) > heldInAll || !l.open() {
		return false
	}
	n, err := l.file.WriteAt(p, l.written)
	if err != nil { // the disk is full: wait for the client instead
		return false
	}
	l.written += int64(n)
	return true
}

// open makes the file. It has no name as soon as it is there, so nothing of the answer is left behind.
func (l *Lines) open() bool {
	if l.file != nil {
		return true
	}
	f, err := os.CreateTemp("", "gatehouse-answer-*")
	if err != nil {
		return false
	}
	_ = os.Remove(f.Name())
	l.file = f
	return true
}

// send writes to the connection what is held, as fast as the client takes it.
func (l *Lines) send() {
	defer close(l.done)
	var buffer []byte
	for {
		next, more := l.next(buffer)
		if !more {
			return
		}
		_ = l.c.SetWriteDeadline(time.Now().Add(stall))
		_, err := l.w.Write(next) //nolint:gosec // lines of JSON, declared as such and nosniff
		if err == nil {
			err = l.c.Flush()
		}
		l.mu.Lock()
		if err != nil {
			l.err = err
		}
		l.changed.Broadcast()
		l.mu.Unlock()
		buffer = next[:0]
	}
}

// next waits for something to send. buffer is memory to use.
func (l *Lines) next(buffer []byte) (_ []byte, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.err == nil && len(l.memory) == 0 && l.read == l.written && !l.ended {
		l.changed.Wait()
	}
	switch {
	case l.err != nil:
		return nil, false
	case len(l.memory) > 0:
		next := l.memory
		l.memory = buffer
		return next, true
	case l.read < l.written:
		return l.fromFile(buffer)
	}
	return nil, false
}

func (l *Lines) fromFile(buffer []byte) ([]byte, bool) {
	n := min(l.written-l.read, heldInMemory/4)
	if int64(cap(buffer)) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	if _, l.err = l.file.ReadAt(buffer, l.read); l.err != nil {
		return nil, false
	}
	if l.read += n; l.read == l.written { // the file is used again from its beginning
		l.read, l.written = 0, 0
		_ = l.file.Truncate(0)
	}
	return buffer, true
}

// Close waits until the client has the whole answer, or does not take it. Of a request that was given up nothing more is
// read: whoever reads it still is woken.
func (l *Lines) Close() error {
	if !l.whole.Load() {
		_ = l.c.SetReadDeadline(time.Now())
	}
	l.mu.Lock()
	l.begin()
	l.ended = true
	l.changed.Broadcast()
	l.mu.Unlock()
	<-l.done
	if l.file != nil {
		_ = l.file.Close()
	}
	return l.err
}
