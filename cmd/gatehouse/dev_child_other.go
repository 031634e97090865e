//go:build !linux

package main

import "syscall"

// childAttributes: only Linux ties a child's life to its parent's. Elsewhere the next start stops the orphan.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
