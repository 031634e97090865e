package audit

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What people read about the actions is what the service knows of them.
func TestThePageListsEveryAction(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, a := range Actions() {
		fmt.Fprintf(&want, "| `%s` | %s |\n", a, Meaning(a))
	}
	if !strings.Contains(string(page), "|---|---|\n"+want.String()+"\n") {
		t.Errorf("docs/audit.md has another list of actions; it should be\n%s", want.String())
	}
}
