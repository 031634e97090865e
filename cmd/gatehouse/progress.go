package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// progress reads a file and shows how far: a bar at a terminal, elsewhere a line at each tenth. It may be read and drawn
// by two goroutines.
type progress struct {
	file     io.Reader
	size     int64
	read     atomic.Int64
	to       io.Writer
	terminal bool
	tenths   int64 // told so far
	drawn    bool
}

func newProgress(to io.Writer, f *os.File) (*progress, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := &progress{file: f, size: max(info.Size(), 1), to: to}
	if file, ok := to.(*os.File); ok {
		info, err := file.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b, nil
}

// Read counts what is read.
func (b *progress) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.read.Add(int64(n))
	return n, err
}

const barWidth = 40

// draw shows how far it is now.
func (b *progress) draw() {
	done := min(b.read.Load(), b.size)
	if b.terminal {
		full := int(done * barWidth / b.size)
		fmt.Fprintf(b.to, "\r[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done*100/b.size)
		b.drawn = true
		return
	}
	if tenths := done * 10 / b.size; tenths > b.tenths {
		b.tenths = tenths
		fmt.Fprintf(b.to, "%d %%\n", tenths*10)
	}
}

// clear takes the bar away, to make room for a line of text.
func (b *progress) clear() {
	if b.drawn {
		fmt.Fprintf(b.to, "\r%s\r", strings.Repeat(" ", barWidth+8))
		b.drawn = false
	}
}
