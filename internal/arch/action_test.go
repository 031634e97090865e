package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// actionList is where the actions of the audit log are listed, as the keys of a map.
const actionList = "tenancy/audit/action.go"

// past is what a name of an action looks like: object.verb, the verb in the past.
var past = regexp.MustCompile(`^[a-z_]+\.[a-z_]*(ed|made|set|sent|undeliverable)$`)

var listedActions = rule{
	name: "actions of the audit log are listed",
	reason: "a name that is not in " + actionList + " can be recorded and never be asked for: GET /v1/audit-log refuses it as a filter, " +
		"and no page says what it means. One that is listed and recorded nowhere promises what does not happen. (docs/audit.md has the list too)",
	check: func(t tree) (violations []string) {
		listed, recorded := map[string]bool{}, map[string]string{}
		for _, s := range t.sources {
			switch {
			case s.path == actionList:
				listed = literals(s)
			case !s.forTests() && !within(s.dir(), "cmd") && !within(s.dir(), "internal"):
				for name := range literals(s) {
					recorded[name] = s.path
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(recorded)) {
			if !listed[name] {
				violations = append(violations, fmt.Sprintf("%s records %q, which %s does not list", recorded[name], name, actionList))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(listed)) {
			if recorded[name] == "" {
				violations = append(violations, fmt.Sprintf("%s lists %q, which nothing records", actionList, name))
			}
		}
		return violations
	},
}

// literals are the texts of a file that look like an action, and whatever is given to a member named Action.
func literals(s source) map[string]bool {
	found := map[string]bool{}
	text := func(e ast.Expr) string {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			v, _ := strconv.Unquote(l.Value)
			return v
		}
		return ""
	}
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Action" && text(n.Value) != "" {
				found[text(n.Value)] = true
			}
		case *ast.BasicLit:
			if v := text(n); past.MatchString(v) {
				found[v] = true
			}
		}
		return true
	})
	return found
}
