package openapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A code that nobody sends would make clients handle what cannot happen; one that is not described would surprise them.
func TestCodesAreThoseOfTheService(t *testing.T) {
	t.Parallel()
	described := map[string]bool{}
	for _, enum := range regexp.MustCompile(`"code":\{"enum":\[([^]]*)\]`).FindAllSubmatch(JSON(), -1) {
		for code := range strings.SplitSeq(string(enum[1]), ",") {
			described[strings.Trim(code, `"`)] = true
		}
	}
	sent := codesInSource(t)
	for code := range described {
		if !sent[code] {
			t.Errorf("the document describes %s, which nothing sends", code)
		}
	}
	for code := range sent {
		if !described[code] {
			t.Errorf("%s is sent and not described", code)
		}
	}
}

// codesInSource finds the codes of all calls of problem.New, by their second argument.
func codesInSource(t *testing.T) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if entry != nil && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || hasModule(name)) {
				return filepath.SkipDir
			}
			return err
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if code := newCode(file.Name.Name, n); code != "" {
				codes[code] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// hasModule tells whether a folder is a module of its own.
func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func newCode(pkg string, n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 3 {
		return ""
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		ok = pkg == "problem" && f.Name == "New"
	case *ast.SelectorExpr:
		x, isName := f.X.(*ast.Ident)
		ok = isName && x.Name == "problem" && f.Sel.Name == "New"
	default:
		ok = false
	}
	literal, isLiteral := call.Args[1].(*ast.BasicLit)
	if !ok || !isLiteral {
		return ""
	}
	code, _ := strconv.Unquote(literal.Value)
	return code
}
