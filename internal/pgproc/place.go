package pgproc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// linkName is the link in the cluster directory that names the place of the data when it is not there itself.
	linkName = "elsewhere"

	// remoteRoot holds the data of clusters whose own directory the server's account cannot reach.
	remoteRoot = "/var/lib/gatehouse-dev"
)

// place returns the directory in which data/ lives: dir, if the account can get there.
//
// As root it often cannot: /root has mode 0700, and opening root's home to everyone is not ours to do. The data then
// lives under remoteRoot, in a directory named after dir, and dir holds a link to it. The state directory stays the one
// thing to wipe: without the link the remote data counts as wiped, and the next Start removes it.
func place(dir string, as account, binDir string) (string, error) {
	if as.credential == nil {
		return dir, nil
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	if err := as.canRun(binDir); err != nil {
		return "", err
	}
	link := filepath.Join(dir, linkName)
	if target, err := os.Readlink(link); err == nil {
		return target, os.MkdirAll(target, 0o711)
	}
	if as.canReach(binDir, dir) {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	target := filepath.Join(remoteRoot, hex.EncodeToString(sum[:8]))
	if err := wipe(target); err != nil {
		return "", err
	}
	if err := os.MkdirAll(target, 0o711); err != nil {
		return "", fmt.Errorf("the account %s cannot reach %s, and no place for the data could be made: %w", as.name, dir, err)
	}
	if !as.canReach(binDir, target) {
		return "", fmt.Errorf("the account %s, which Postgres must run as, can reach neither %s nor %s: use another state directory",
			as.name, dir, target)
	}
	return target, os.Symlink(target, link)
}

// whereIs returns where data/ is or will be as far as the directory itself tells, without changing anything.
func whereIs(dir string) string {
	if target, err := os.Readlink(filepath.Join(dir, linkName)); err == nil {
		return filepath.Join(target, "data")
	}
	return filepath.Join(dir, "data")
}

// wipe removes the data under home and stops whatever still runs on it.
func wipe(home string) error {
	if _, err := os.Lstat(home); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := stopLeftovers(filepath.Join(home, "data")); err != nil {
		return err
	}
	return os.RemoveAll(home)
}

// Remove deletes a stopped cluster with everything that belongs to it, wherever it is.
func Remove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if target, err := os.Readlink(filepath.Join(dir, linkName)); err == nil {
		if err := os.RemoveAll(target); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}
