package pgproc

import (
	"errors"
	"io"
	"strings"
	"sync"
)

// tail passes a child's output on and keeps the end of it, from which a failure is told in one sentence.
type tail struct {
	next io.Writer // may be nil

	mu   sync.Mutex
	kept []byte
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	if t.next != nil {
		_, _ = t.next.Write(p) // a full disk under the log must not stop the server
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// last returns the last line that holds one of the marks, else the last line that is not empty.
func (t *tail) last(marks ...string) string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		for _, mark := range marks {
			if _, after, ok := strings.Cut(lines[i], mark); ok {
				return strings.TrimSpace(strings.TrimLeft(after, ": "))
			}
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// oneLine keeps an error to one line, for messages that people read.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
