//go:build !linux

package child

import "syscall"

// tie does nothing: only Linux ties a child's life to its parent's. Elsewhere the next start stops the orphan.
func tie(*syscall.SysProcAttr, syscall.Signal) {}
