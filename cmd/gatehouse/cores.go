package main

import (
	"runtime"
	"sync"
)

// cores is how many cores this process may use, as Go found them at the start. Go then gets twice as many threads that may
// run at once. A hash keeps one busy for tens of milliseconds: with a hash on each, whatever comes back from Postgres
// or Vault is not looked at before Go's own clock interrupts one, every 10 ms, and a refresh is some five such turns. With
// threads to spare the kernel decides, and it lets who has waited go first.
var cores = sync.OnceValue(func() int {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * n)
	return n
})
