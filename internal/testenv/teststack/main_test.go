package main

import "testing"

// The command sees both servers, and its exit code is the stack's.
func TestRunGivesTheCommandServersAndReturnsItsCode(t *testing.T) {
	t.Parallel()
	code, err := run([]string{"sh", "-c", `test -n "$GATEHOUSE_TEST_POSTGRES" && test -n "$GATEHOUSE_TEST_VAULT_TOKEN" && exit 3`})
	if err != nil || code != 3 {
		t.Errorf("run = %d, %v, want the command's 3", code, err)
	}
}
