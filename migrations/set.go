package migrations

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Set is a series of migrations of one kind of schema, in order of their numbers. The zero Set is empty.
type Set struct{ steps []Step }

// Step is one migration: the file `0001_accounts.up.sql` is version 1 with the name accounts.
type Step struct {
	Version int
	Name    string
	SQL     string
}

// ReadSet reads golang-migrate's files from the top of fsys. It refuses a name without a number and a number that two
// files have; files that take a version back are not read.
func ReadSet(fsys fs.FS) (Set, error) {
	names, err := fs.Glob(fsys, "*.up.sql")
	if err != nil {
		return Set{}, err
	}
	var s Set
	for _, file := range names {
		number, name, _ := strings.Cut(strings.TrimSuffix(file, ".up.sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version < 1 {
			return Set{}, fmt.Errorf("migrations: %s does not begin with a number", file)
		}
		body, err := fs.ReadFile(fsys, file)
		if err != nil {
			return Set{}, err
		}
		s.steps = append(s.steps, Step{version, name, string(body)})
	}
	slices.SortFunc(s.steps, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	for i := 1; i < len(s.steps); i++ {
		if s.steps[i].Version == s.steps[i-1].Version {
			return Set{}, fmt.Errorf("migrations: two files have the number %d", s.steps[i].Version)
		}
	}
	return s, nil
}

// Latest is the version that the last migration brings a schema to; 0 of an empty set.
func (s Set) Latest() int {
	if len(s.steps) == 0 {
		return 0
	}
	return s.steps[len(s.steps)-1].Version
}

// After are the migrations that a schema at a version lacks.
func (s Set) After(version int) []Step {
	i, _ := slices.BinarySearchFunc(s.steps, version, func(m Step, v int) int { return cmp.Compare(m.Version, v+1) })
	return slices.Clone(s.steps[i:])
}

// Tenants are the migrations of a tenant's schema that this program was built with.
var Tenants = embedded("tenant")

// embedded is a set of this program's own. What is wrong with it was wrong when it was built.
func embedded(dir string) Set {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	s, err := ReadSet(sub)
	if err != nil {
		panic(err)
	}
	return s
}
