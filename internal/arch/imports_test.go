package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layers are the folders from left to right; each may import itself and those before it.
var layers = []string{"internal", "migrations", "tenancy", "identity", "mfa", "cmd"}

func layerOf(dir string) int {
	first, _, _ := strings.Cut(dir, "/")
	return slices.Index(layers, first)
}

var importsPointLeft = rule{
	name: "imports point left",
	reason: "internal/* <- migrations <- tenancy <- identity <- mfa <- cmd is the order in which a request is understood; " +
		"an import to the right makes a cycle of ideas, and lets SQL or tokens exist before the tenant is known. " +
		"What must flow back does so through an interface that the left package declares",
	check: func(t tree) (violations []string) {
		for _, s := range t.sources {
			if supportsTests(s.dir()) {
				continue
			}
			for _, imported := range s.imports {
				dir, ours := strings.CutPrefix(imported, module+"/")
				if !ours || supportsTests(dir) && s.isTest() {
					continue
				}
				if layerOf(dir) > layerOf(s.dir()) {
					violations = append(violations, fmt.Sprintf("%s imports %s, which is to its right", s.path, dir))
				}
			}
		}
		return violations
	},
}

var pagesAskTheAPI = rule{
	name: "pages ask the API",
	reason: "a page that calls a method of identity or mfa is a second road to what the operation refuses; it makes the request " +
		"that any client makes (docs/decisions/0026)",
	check: func(t tree) (violations []string) {
		for _, s := range t.sources {
			if s.isTest() || !within(s.dir(), "cmd/gatehouse/pages") {
				continue
			}
			for _, imported := range s.imports {
				if dir, ours := strings.CutPrefix(imported, module+"/"); ours && (within(dir, "identity") || within(dir, "mfa")) {
					violations = append(violations, fmt.Sprintf("%s imports %s", s.path, dir))
				}
			}
		}
		return violations
	},
}

var pools = rule{
	name: "pools",
	reason: "a connection pool outside tenancy runs SQL for no tenant in particular: the search_path and role of a tenant " +
		"are set only by tenancy.DB. (cmd opens the pools and hands them over; migrations makes schemas as their owner.)",
	check: func(t tree) (violations []string) {
		for _, s := range t.sources {
			if s.forTests() || within(s.dir(), "tenancy") || within(s.dir(), "cmd") || within(s.dir(), "migrations") {
				continue
			}
			if imported := s.importing("github.com/jackc/pgx/v5/pgxpool"); imported != "" {
				violations = append(violations, fmt.Sprintf("%s imports %s", s.path, imported))
			}
		}
		return violations
	},
}

var noTesting = rule{
	name: "no test code in production",
	reason: "the testing package adds flags to the program and a way for product code to know that it is under test; " +
		"code for tests belongs to _test.go files, to packages whose name ends in test, or to internal/testenv",
	check: func(t tree) (violations []string) {
		for _, s := range t.sources {
			if s.forTests() {
				continue
			}
			for _, imported := range s.imports {
				dir := strings.TrimPrefix(imported, module+"/")
				ourSupport := dir != imported && supportsTests(dir)
				if ourSupport || within(imported, "testing") || path.Base(imported) == "httptest" {
					violations = append(violations, fmt.Sprintf("%s imports %s", s.path, imported))
				}
			}
		}
		return violations
	},
}
