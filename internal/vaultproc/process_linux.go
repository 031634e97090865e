package vaultproc

import "syscall"

// dieWithParent has the kernel kill the child when we end: a second rope beside the watched stdin, for a child that
// hangs. See process.start for the condition that makes it safe. The child has a process group of its own: a Ctrl-C in
// the terminal goes to the whole foreground group, and would stop it under a parent that still needs it to finish.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
