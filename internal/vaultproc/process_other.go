//go:build !linux

package vaultproc

import "syscall"

// dieWithParent is empty where there is no parent-death signal: the watched stdin is what ends the child.
func dieWithParent() *syscall.SysProcAttr { return nil }
