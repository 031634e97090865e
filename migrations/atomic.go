package migrations

import (
	"fmt"
	"io"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
)

// atomic makes a migration and the version that says it was made one transaction.
//
// golang-migrate writes "dirty" before a file and "clean" after it, each in a transaction of its own. A process killed in
// between leaves a dirty version, and from it nobody can tell whether the file was applied: a person has to look. Our
// files are plain transactional SQL, sent as one text, which Postgres runs as one transaction; so the version is written
// by the same text, and a kill at any moment leaves either all of it or nothing.
type atomic struct {
	database.Driver
	table   string // quoted
	target  int    // what Run brings the schema to
	written bool
}

// SetVersion is called with dirty before Run, to say what is coming, and without it after Run has succeeded.
func (a *atomic) SetVersion(version int, dirty bool) error {
	if dirty {
		a.target, a.written = version, false
		return nil
	}
	if a.written && version == a.target {
		return nil
	}
	return a.Driver.SetVersion(version, false) // a file without a body: Run was not called
}

// Run applies a file and writes its version.
func (a *atomic) Run(file io.Reader) error {
	body, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	// A change of a table waits for whoever reads it, and everybody after waits for the change. Better to fail and be run
	// again.
	text := "select set_config('lock_timeout', '3s', true);\n" + string(body) + fmt.Sprintf("\n;\ndelete from %s;\n", a.table)
	if a.target != database.NilVersion {
		text += fmt.Sprintf("insert into %s (version, dirty) values (%d, false);\n", a.table, a.target)
	}
	if err := a.Driver.Run(strings.NewReader(text)); err != nil {
		return err
	}
	a.written = true
	return nil
}
