package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Rounds is how often a test of what must happen once tries it: once, or as often as GATEHOUSE_TEST_ROUNDS says. A race that
// is lost once in hundred tries is found by `make rounds` and not by every run.
func Rounds(tb testing.TB) int {
	tb.Helper()
	text := os.Getenv("GATEHOUSE_TEST_ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("GATEHOUSE_TEST_ROUNDS is %q, want a number from 1", text)
	}
	return n
}
