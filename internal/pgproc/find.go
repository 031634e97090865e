package pgproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// oldestMajor is the oldest version that the project is tested with.
const oldestMajor = 15

// ErrNotFound says that no usable Postgres server is installed.
var ErrNotFound = fmt.Errorf("no Postgres server (initdb and postgres, version %d or newer) found on this machine", oldestMajor)

// places are the directories where packages put the server's programs outside PATH. Debian does so on purpose, so that
// several versions fit on one machine.
var places = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// Find returns the directory that holds initdb and postgres: the one on PATH, else the newest of the usual places, else
// what Obtain downloaded before.
func Find() (binDir string, err error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			if dir := filepath.Dir(real); usable(dir) {
				return dir, nil
			}
		}
	}
	if dirs := installed(); len(dirs) > 0 {
		return dirs[0], nil
	}
	if cache, err := cacheDir(); err == nil {
		if dir := downloaded(cache); usable(dir) {
			return dir, nil
		}
	}
	return "", ErrNotFound
}

// installed lists the usable directories of the usual places, newest version first.
func installed() []string {
	type found struct {
		dir   string
		major int
	}
	var all []found
	for _, pattern := range places {
		dirs, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		for _, dir := range dirs {
			if usable(dir) {
				major, _ := majorOf(dir)
				all = append(all, found{dir, major})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.major - a.major })
	dirs := make([]string, len(all))
	for i, f := range all {
		dirs[i] = f.dir
	}
	return dirs
}

// usable tells whether dir holds both programs in a version that will do. A client package brings some of the
// programs but not these two.
func usable(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	major, err := majorOf(dir)
	return err == nil && major >= oldestMajor
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorOf asks the server program for its major version.
func majorOf(binDir string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(binDir, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("cannot run the Postgres server in %s: %w", binDir, err)
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return 0, errors.New("the program " + filepath.Join(binDir, "postgres") + " does not say which version it is")
	}
	return strconv.Atoi(string(match[1]))
}
