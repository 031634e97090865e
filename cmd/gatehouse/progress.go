package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// bar shows how far something is: a bar at a terminal, elsewhere a line at each tenth.
type bar struct {
	to       io.Writer
	terminal bool
	tenths   int64 // told so far
	drawn    bool
}

func newBar(to io.Writer) *bar {
	b := &bar{to: to}
	if file, ok := to.(*os.File); ok {
		info, err := file.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

const barWidth = 40

func (b *bar) show(done, of int64) {
	of = max(of, 1)
	done = min(done, of)
	if b.terminal {
		full := int(done * barWidth / of)
		fmt.Fprintf(b.to, "\r[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done*100/of)
		b.drawn = true
		return
	}
	if tenths := done * 10 / of; tenths > b.tenths {
		b.tenths = tenths
		fmt.Fprintf(b.to, "%d %%\n", tenths*10)
	}
}

// clear takes the bar away, to make room for a line of text.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprintf(b.to, "\r%s\r", strings.Repeat(" ", barWidth+8))
		b.drawn = false
	}
}

// progress is a file that is read, and how far. It may be read by another goroutine than shows it.
type progress struct {
	*bar
	file io.Reader
	size int64
	read atomic.Int64
}

func newProgress(to io.Writer, f *os.File) (*progress, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &progress{bar: newBar(to), file: f, size: info.Size()}, nil
}

// Read counts what is read.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.file.Read(b)
	p.read.Add(int64(n))
	return n, err
}

func (p *progress) draw() { p.show(p.read.Load(), p.size) }
