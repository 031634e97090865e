package policy

import (
	"fmt"
	"strings"
	"testing"
)

// rulesOf are n rules about logins that all have to be evaluated, as people write them, and none of which holds.
func rulesOf(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "@notice(\"Not from there.\") forbid (principal, action == Action::\"login\", resource) when { context.ip.isInRange(ip(\"10.%d.%d.0/24\")) && !context.amr.contains(\"mfa\") };\n", i/250, i%250)
	}
	return text.String()
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set, q := compiled(b, DefaultRules, rulesOf(n)), login()
			b.ReportAllocs()
			for b.Loop() {
				if !set.Decide(q).Permitted {
					b.Fatal("denied")
				}
			}
		})
	}
}

// BenchmarkDefault asks the rules of a tenant that has not decided otherwise.
func BenchmarkDefault(b *testing.B) {
	set, q := compiled(b, DefaultRules), login()
	b.ReportAllocs()
	for b.Loop() {
		set.Decide(q)
	}
}

func BenchmarkCompile(b *testing.B) {
	text := rulesOf(1000)
	for b.Loop() {
		compiled(b, text)
	}
}

// BenchmarkHostile evaluates the most that a tenant may have: 256 KiB of rules that do nothing but work.
func BenchmarkHostile(b *testing.B) {
	part := `context.amr.containsAny(["a","b","c","d","e","f","g","h"]) || "` + strings.Repeat("ab", 100) + `" like "*a*b*a*b*a*b*a*b*c" || `
	rule := `forbid (principal, action, resource) when { ` + strings.Repeat(part, (MaxRuleText-200)/len(part)) + ` false };`
	set, q := compiled(b, DefaultRules, strings.Repeat(rule+"\n", (256<<10)/len(rule))), login()
	b.ReportAllocs()
	for b.Loop() {
		set.Decide(q)
	}
}
