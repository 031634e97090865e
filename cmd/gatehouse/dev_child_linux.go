package main

import "syscall"

// childAttributes: a process group of its own, and a signal from the kernel when we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
