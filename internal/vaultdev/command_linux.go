package main

import (
	"runtime"
	"syscall"
)

// The parent-death signal is sent when the thread that started the child ends: main stays on the first one, which ends
// with the process.
func init() { runtime.LockOSThread() }

// dieWithParent has the kernel stop the command when this server is killed: it would be a service without its keys.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
