package arch

import (
	"fmt"
	"path"
	"strings"
)

// only makes the check of a suffix rule: the packages may be imported by files with the suffix and where free says so.
func only(suffix string, packages []string, free func(source) bool) func(tree) []string {
	return func(t tree) (violations []string) {
		for _, s := range t.sources {
			if s.forTests() || strings.HasSuffix(s.base(), suffix) || free(s) {
				continue
			}
			if imported := s.importing(packages...); imported != "" {
				violations = append(violations, fmt.Sprintf("%s imports %s, which belongs to a file named *%s", s.path, imported, suffix))
			}
		}
		return violations
	}
}

var sqlFiles = rule{
	name: "SQL in *_sql.go",
	reason: "the rules of a feature are read and tested without a database, and all SQL of an idea is found in one file " +
		"beside it; only tenancy/db*.go, which makes transactions, and the packages about the database itself are free. (River is a queue " +
		"of rows: its client counts as SQL.)",
	check: only("_sql.go", []string{"github.com/jackc/pgx/v5", "database/sql", "github.com/riverqueue/river"}, func(s source) bool {
		if ok, err := path.Match("tenancy/db*.go", s.path); ok && err == nil {
			return true
		}
		for _, folder := range []string{"migrations", "internal/id", "internal/pgproc", "cmd"} {
			if within(s.dir(), folder) {
				return true
			}
		}
		return false
	}),
}

var httpFiles = rule{
	name: "HTTP in *_http.go",
	reason: "the rules of a feature do not depend on how a request arrives: the CLI and the tests call the same methods, " +
		"and the HTTP surface is read in one kind of file. (The adapter to Vault is a client: its server speaks HTTP.)",
	check: only("_http.go", []string{"net/http", "github.com/gorilla/mux"}, func(s source) bool {
		return strings.HasSuffix(s.base(), "_vault.go") || !within(s.dir(), "tenancy") && !within(s.dir(), "identity") && !within(s.dir(), "mfa")
	}),
}

var vaultFiles = rule{
	name: "Vault in *_vault.go",
	reason: "keys are reached through the custody interface, which the software custodian satisfies too; Vault's client " +
		"elsewhere would be a way around it",
	check: only("_vault.go", []string{"github.com/hashicorp/vault"}, func(source) bool { return false }),
}
