package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
)

// mintCalls are the calls of golang-jwt that make a token, or the text that is signed to make one.
var mintCalls = []string{"NewWithClaims", "SigningString", "SignedString"}

var oneMint = rule{
	name: "one file mints tokens",
	reason: "every way in passes one function that asks for state, policy and owed factors before a token is signed; " +
		"a second place that can make a token is a way around it",
	check: func(t tree) (violations []string) {
		identity, minting := false, []string{}
		for _, s := range t.sources {
			identity = identity || s.dir() == "identity" && !s.isTest()
			if s.forTests() || !mints(s) {
				continue
			}
			minting = append(minting, s.path)
			if ok, err := path.Match("identity/token*.go", s.path); !ok || err != nil {
				violations = append(violations, s.path+" makes a token; only identity/token*.go may")
			}
		}
		if len(minting) > 1 {
			violations = append(violations, fmt.Sprintf("identity: %d files make tokens: %v", len(minting), minting))
		}
		if identity && len(minting) == 0 {
			violations = append(violations, fmt.Sprintf("identity: no file makes tokens by %v, so this rule does not see who does", mintCalls))
		}
		return violations
	},
}

func mints(s source) (found bool) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if function, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(mintCalls, function.Sel.Name) {
				found = true
			}
		}
		return !found
	})
	return found
}
