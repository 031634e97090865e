package trial

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var recipe = regexp.MustCompile("(?s)\n### ([^\n]+)\n(.*?)```cedar\n(.*?)```\n\n```yaml\n(.*?)```\n")

// Whoever copies a policy out of docs/policies.md gets what is said of it there.
func TestEveryPolicyOfTheCookbookDoesWhatItsTestsSay(t *testing.T) {
	text, err := os.ReadFile("../../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, cookbook, _ := strings.Cut(string(text), "\n## Cookbook\n")
	recipes := recipe.FindAllStringSubmatch(cookbook, -1)
	if n := strings.Count(cookbook, "\n### "); len(recipes) != n || n < 10 {
		t.Errorf("%d of %d sections are recipes", len(recipes), n)
	}
	for _, r := range recipes {
		t.Run(r[1], func(t *testing.T) {
			s, err := Parse([]byte("rules: |\n  "+strings.ReplaceAll(r[3], "\n", "\n  ")+"\n"+r[4]), nil)
			if err != nil {
				t.Fatal(err)
			}
			outcomes := map[string]bool{}
			for i, result := range s.Run() {
				outcomes[string(s.Tests[i].Want)] = true
				if len(result.Failed) > 0 {
					t.Errorf("%s: %s", result.Name, strings.Join(result.Failed, "; "))
				}
			}
			if !outcomes["permit"] || len(outcomes) < 2 {
				t.Errorf("the tests show %v: neither side alone tells anything", outcomes)
			}
		})
	}
}

// The README shows the file that its tour sends.
func TestTheREADMEShowsTheRuleOfItsTour(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := os.ReadFile("../../../docs/office.cedar")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```cedar\n"+string(rule)+"```\n") {
		t.Error("docs/office.cedar is not what the README shows")
	}
}
