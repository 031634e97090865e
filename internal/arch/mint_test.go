package arch

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
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

// signers are the files that may have something signed with a tenant's key, and what for. A token could be put together
// by hand from a signature, past golang-jwt and the rule above.
var signers = map[string]string{
	"identity/token*.go":        "access tokens",
	"tenancy/audit/seal.go":     "seals of the audit log, whose typ and claims are no token's",
	"tenancy/receipt.go":        "receipts of deletions, likewise",
	"tenancy/bundles_export.go": "manifests of bundles, likewise",
	"cmd/gatehouse/dev_demo.go": "a fixed text, to see whether custody signs",
}

var oneSigner = rule{
	name: "few files sign",
	reason: "a signature by a tenant's key makes a token of whatever was put before it; each file that asks custody for one " +
		"signs one kind of thing, and says in `typ` which",
	check: func(t tree) (violations []string) {
		for _, s := range t.sources {
			if s.forTests() || within(s.dir(), "tenancy/custody") || !signs(s) {
				continue
			}
			allowed := false
			for pattern := range signers {
				ok, err := path.Match(pattern, s.path)
				allowed = allowed || ok && err == nil
			}
			if !allowed {
				violations = append(violations, s.path+" has something signed; only these may: "+strings.Join(slices.Sorted(maps.Keys(signers)), ", "))
			}
		}
		return violations
	},
}

func signs(s source) (found bool) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if function, ok := call.Fun.(*ast.SelectorExpr); ok && function.Sel.Name == "Sign" {
				found = true
			}
		}
		return !found
	})
	return found
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
