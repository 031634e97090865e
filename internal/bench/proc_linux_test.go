package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, err := parseStat([]byte("12 (a (b) c) S 3 12 12 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 1 0 100 1000 10\n"))
	if err != nil || s != (stat{3, 2 * time.Second, 100 * time.Millisecond, "a (b) c"}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, text := range []string{"", "12", "12 (x", "12 (x) S 3", "12 (x) S 3 12 12 0 -1 4194560 1 2 3 4 no 50 7 3 20"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	t.Parallel()
	began := selfCPU()
	for selfCPU()-began < 50*time.Millisecond {
	}
	told, err := cpuOfFamily(os.Getpid())
	if err != nil || told < 50*time.Millisecond-2*tick {
		t.Errorf("used more than 50 ms, read %s (%v)", told, err)
	}
	if size, err := memoryOf(os.Getpid()); err != nil || size < 1<<20 {
		t.Errorf("memory %d (%v)", size, err)
	}
	s, err := readStat(os.Getpid())
	if err != nil || s.parent != os.Getppid() {
		t.Errorf("%+v, %v", s, err)
	}
}
