package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times in /proc; USER_HZ is 100 on every architecture Go runs on.
const tick = 10 * time.Millisecond

// stat is what /proc/PID/stat says of a process.
type stat struct {
	parent  int
	own     time.Duration // user and system time of all its threads
	reaped  time.Duration // of its children that have ended
	command string
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// parseStat finds the fields behind the last parenthesis: the command before it may hold spaces and parentheses.
func parseStat(text []byte) (stat, error) {
	open, shut := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return stat{}, errors.New("unreadable /proc/PID/stat")
	}
	fields := strings.Fields(string(text[shut+1:])) // from field 3, the state
	if len(fields) < 15 {
		return stat{}, errors.New("unreadable /proc/PID/stat")
	}
	var n [5]int
	for i, f := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		var err error
		if n[i], err = strconv.Atoi(fields[f]); err != nil {
			return stat{}, fmt.Errorf("unreadable /proc/PID/stat: %w", err)
		}
	}
	return stat{parent: n[0], own: time.Duration(n[1]+n[2]) * tick, reaped: time.Duration(n[3]+n[4]) * tick,
		command: string(text[open+1 : shut])}, nil
}

// cpuOf is the CPU time that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.own, err
}

// cpuOfFamily is the CPU time of a process and all of its children, ended ones included: of a postmaster, all backends.
// A child that ends while we look is counted once or not at all, never twice, because its parent is read first.
func cpuOfFamily(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	sum := s.own + s.reaped
	children, err := childrenOf(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children {
		if s, err := readStat(child); err == nil {
			sum += s.own
		}
	}
	return sum, nil
}

func childrenOf(pid int) ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []int
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if s, err := readStat(child); err == nil && s.parent == pid {
			all = append(all, child)
		}
	}
	return all, nil
}

// memoryOf is the resident memory of a process in bytes.
func memoryOf(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("unreadable /proc/PID/statm")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// proportionalMemoryOf is what a process takes in bytes, with its part of what it shares with others: the sum over all
// processes of a cluster is what the cluster takes.
func proportionalMemoryOf(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0, err
	}
	return parsePSS(text)
}

func parsePSS(text []byte) (int64, error) {
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" && f[2] == "kB" {
			kB, err := strconv.ParseInt(f[1], 10, 64)
			return kB << 10, err
		}
	}
	return 0, errors.New("unreadable /proc/PID/smaps_rollup")
}

// servesClient tells a backend from the other processes of Postgres: its title names the client's address and port.
func servesClient(pid int) bool {
	title, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && bytes.Contains(title, []byte(" 127.0.0.1("))
}

// dieWithParent has the kernel end a child when we end, however we end. It must be started from a thread that lives as
// long as we do.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// processor names it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, " \t:\n")
		}
	}
	return "unknown processor"
}
