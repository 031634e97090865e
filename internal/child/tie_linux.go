package child

import "syscall"

// tie asks the kernel for a signal when the parent ends.
func tie(a *syscall.SysProcAttr, orphaned syscall.Signal) { a.Pdeathsig = orphaned }
