package vaultproc

import "syscall"

// dieWithParent has the kernel kill the child when we end: a second rope beside the watched stdin, for a child that
// hangs. See process.start for the condition that makes it safe.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
