package main

import (
	"strings"
	"testing"
	"time"
)

// At a terminal each picture covers the one before, whatever the lengths; elsewhere each tenth is a line.
func TestAPacedBarSaysHowFastAndHowLong(t *testing.T) {
	t.Parallel()
	var terminal, file strings.Builder
	p := newPaced(&terminal, "tenants")
	p.terminal = true
	p.began = time.Now().Add(-10 * time.Second)
	p.show(1000, 4000)
	p.show(1001, 4000) // too soon for a terminal
	p.show(4000, 4000)
	p.clear()
	pictures := strings.Split(terminal.String(), "\r")
	if len(pictures) != 5 || !strings.HasPrefix(pictures[1], "[##########..............................]  25 %  1000 of 4000 tenants, ") || !strings.HasSuffix(pictures[1], "s left") ||
		!strings.Contains(pictures[2], "100 %  4000 of 4000 tenants, ") || strings.Contains(pictures[2], "left") ||
		len(pictures[2]) != len(pictures[1]) || strings.TrimSpace(pictures[3]) != "" || len(pictures[3]) != len(pictures[1]) {
		t.Errorf("a terminal gets %q", pictures)
	}
	p = newPaced(&file, "tenants")
	for i := range int64(40) {
		p.show(i+1, 40)
	}
	if lines := strings.Split(strings.TrimSpace(file.String()), "\n"); len(lines) != 10 || !strings.HasPrefix(lines[0], "10 %  4 of 40 tenants, ") || !strings.HasPrefix(lines[9], "100 %  40 of 40 tenants, ") {
		t.Errorf("a file gets\n%s", file.String())
	}
}
