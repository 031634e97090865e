package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

var documented = rule{
	name:   "packages are documented",
	reason: "the package comment states the boundary: what is in, what is out. Without one the package has none",
	check: func(t tree) (violations []string) {
		for _, files := range t.packages() {
			production := slices.DeleteFunc(slices.Clone(files), source.isTest)
			if len(production) == 0 {
				continue
			}
			name := production[0].syntax.Name.Name
			want := "Package " + name + " "
			if name == "main" {
				want = "Command "
			}
			if !slices.ContainsFunc(production, func(s source) bool { return strings.HasPrefix(s.syntax.Doc.Text(), want) }) {
				violations = append(violations, fmt.Sprintf("%s has no comment that starts with %q", files[0].dir(), want))
			}
		}
		return violations
	},
}

var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "models", "services", "api", "pkg", "misc"}

var named = rule{
	name:   "packages are named after ideas",
	reason: "a name that fits anything collects everything; name the package after what it knows",
	check: func(t tree) (violations []string) {
		for _, files := range t.packages() {
			name, folder := strings.TrimSuffix(files[0].syntax.Name.Name, "_test"), path.Base(files[0].dir())
			if slices.Contains(emptyNames, name) || slices.Contains(emptyNames, folder) {
				violations = append(violations, fmt.Sprintf("%s is a package named %s", files[0].dir(), name))
			}
		}
		return violations
	},
}

// allowed are the names at the top level; whoever adds one says here what it is for.
var allowed = []string{
	"cmd", "tenancy", "identity", "mfa", "migrations", // the boxes of the drawing
	"internal",             // small private packages, one idea each
	"charts",               // the Helm chart
	"docs", "openapi.yaml", // what is told to people and to clients
	"go.mod", "go.sum", // Go asks for them here
	"Makefile", ".ci", // the commands
	".gitignore", ".golangci.yml", // their tools ask for them here
	"README.md", "CONTRIBUTING.md", "LICENSE",
	".git",
}

// ignored are names that .gitignore keeps out of the repository.
var ignored = []string{"bin", ".dev", ".cache", "bench-out"}

var topLevel = rule{
	name:   "top level",
	reason: "the top level is the map of the system; each name more makes it harder to read. Put the file into a folder that is there",
	check: func(t tree) (violations []string) {
		for _, name := range t.top {
			isIgnored := slices.Contains(ignored, name) || slices.Contains([]string{".test", ".prof"}, path.Ext(name))
			if !slices.Contains(allowed, name) && !isIgnored {
				violations = append(violations, name+" is not a name of the top level")
			}
		}
		return violations
	},
}
