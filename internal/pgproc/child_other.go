//go:build !linux

package pgproc

import "syscall"

// attributes: only Linux ties a child's life to its parent's. Elsewhere the next Start stops the orphan.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
