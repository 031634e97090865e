//go:build !linux

package vaultproc

import "syscall"

// dieWithParent only gives the child a process group of its own, as on Linux: the watched stdin is what ends it.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
