package arch

import (
	"cmp"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-id/gatehouse"

// source is one Go file.
type source struct {
	path    string // from the root, with slashes: tenancy/slug.go
	syntax  *ast.File
	imports []string
}

// tree is what the rules look at.
type tree struct {
	top     []string // names at the top level
	sources []source
}

func (s source) dir() string  { return path.Dir(s.path) }
func (s source) base() string { return path.Base(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// forTests tells whether the file is test code: a test, or a package that exists for tests.
func (s source) forTests() bool { return s.isTest() || supportsTests(s.dir()) }

// supportsTests tells whether the package in dir exists for tests: internal/testenv and packages like tenancytest.
func supportsTests(dir string) bool {
	return within(dir, "internal/testenv") || strings.HasSuffix(path.Base(dir), "test")
}

// within tells whether dir is the folder or lies under it.
func within(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

// importing returns an import that is one of the packages or lies under one, or nothing.
func (s source) importing(packages ...string) string {
	for _, imported := range s.imports {
		for _, p := range packages {
			if within(imported, p) {
				return imported
			}
		}
	}
	return ""
}

// parse makes a source from text.
func parse(name string, text []byte) (source, error) {
	syntax, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{path: name, syntax: syntax}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// load reads the repository that this test is in. Folders with a go.mod of their own are other modules, and testdata
// is data.
func load(t *testing.T) tree {
	t.Helper()
	root := findRoot(t)
	var loaded tree
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		loaded.top = append(loaded.top, entry.Name())
	}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && skipped(name, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(relative), text)
		loaded.sources = append(loaded.sources, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func skipped(name, base string) bool {
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil || base == "testdata" || strings.HasPrefix(base, ".") || slices.Contains(ignored, base)
}

func findRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		} else if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// packages groups the files by folder, in order. Tests of package x and x_test share the folder.
func (t tree) packages() [][]source {
	byDir := map[string][]source{}
	for _, s := range t.sources {
		byDir[s.dir()] = append(byDir[s.dir()], s)
	}
	var all [][]source
	for _, files := range byDir {
		all = append(all, files)
	}
	slices.SortFunc(all, func(a, b []source) int { return cmp.Compare(a[0].dir(), b[0].dir()) })
	return all
}
