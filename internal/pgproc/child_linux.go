package pgproc

import "syscall"

// attributes ask the kernel to stop the child when its parent dies: SIGINT is Postgres's fast shutdown, and ends initdb.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} }
