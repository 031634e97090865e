//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

var errNoProc = errors.New("make bench needs Linux: it reads the CPU time of other processes from /proc")

func cpuOf(int) (time.Duration, error)        { return 0, errNoProc }
func cpuOfFamily(int) (time.Duration, error)  { return 0, errNoProc }
func memoryOf(int) (int64, error)             { return 0, errNoProc }
func childrenOf(int) ([]int, error)           { return nil, errNoProc }
func proportionalMemoryOf(int) (int64, error) { return 0, errNoProc }
func servesClient(int) bool                   { return false }
func dieWithParent(*exec.Cmd)                 {}
func processor() string                       { return "" }
