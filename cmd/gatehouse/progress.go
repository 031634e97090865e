package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// bar shows how far something is: a bar at a terminal, elsewhere a line at each tenth.
type bar struct {
	to       io.Writer
	terminal bool
	tenths   int64 // told so far
	drawn    int   // characters that stand at the terminal
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

func (b *bar) show(done, of int64) { b.tell(done, of, "") }

// tell is show with a few words behind the figure.
func (b *bar) tell(done, of int64, note string) {
	of = max(of, 1)
	done = min(done, of)
	if b.terminal {
		full := int(done * barWidth / of)
		line := fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done*100/of)
		if note != "" {
			line += "  " + note
		}
		width := utf8.RuneCountInString(line)
		fmt.Fprint(b.to, "\r"+line+strings.Repeat(" ", max(0, b.drawn-width)))
		b.drawn = max(width, b.drawn)
		return
	}
	if tenths := done * 10 / of; tenths > b.tenths {
		b.tenths = tenths
		fmt.Fprintln(b.to, strings.TrimRight(fmt.Sprintf("%d %%  %s", tenths*10, note), " "))
	}
}

// clear takes the bar away, to make room for a line of text.
func (b *bar) clear() {
	if b.drawn > 0 {
		fmt.Fprintf(b.to, "\r%s\r", strings.Repeat(" ", b.drawn))
		b.drawn = 0
	}
}

// paced is a bar for many things of a kind: it says how many are done, how many in a second, and how long the others will take.
type paced struct {
	*bar
	things string
	began  time.Time
	drawn  time.Time
}

func newPaced(to io.Writer, things string) *paced {
	return &paced{bar: newBar(to), things: things, began: time.Now()}
}

func (p *paced) show(done, of int64) {
	now := time.Now()
	if p.terminal && done < of && now.Sub(p.drawn) < 100*time.Millisecond {
		return // a terminal is slower than what it shows
	}
	p.drawn = now
	rate := float64(done) / max(now.Sub(p.began).Seconds(), 0.001)
	note := fmt.Sprintf("%d of %d %s, %.0f/s", done, of, p.things, rate)
	if done < of && rate > 0 {
		note += fmt.Sprintf(", %s left", time.Duration(float64(of-done)/rate*float64(time.Second)).Round(time.Second))
	}
	p.tell(done, of, note)
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
