package pgproc

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir makes this process the owner of the cluster directory. Without it a second `gatehouse dev` would take the
// first one's server for a leftover and stop it. The kernel frees the lock however the owner ends, and the
// children do not inherit it (Go opens files close-on-exec).
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another gatehouse is running with the Postgres cluster in %s: stop it first", dir)
	}
	return f, nil
}

// unlockDir frees the lock by name and not only by closing: a child that another goroutine is forking at this moment
// holds the same open file until it executes its program, and the lock with it.
func unlockDir(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
