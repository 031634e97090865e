package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/argon2"
)

// What a password login cannot do without: one hash with the parameters of the service.
const (
	hashTime    = 2
	hashMemory  = 19456 // KiB
	hashThreads = 1
	hashLength  = 32
)

// hasher is this program run as `bench hash`: a process that does nothing but bare hashes, so that its cost is told by
// the kernel as the server's is, garbage collection included.
type hasher struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	in    *json.Encoder
	out   *json.Decoder
}

type hashOrder struct {
	Workers int           `json:"workers"`
	For     time.Duration `json:"for"`
}

// hashed is what a stretch of hashing took.
type hashed struct {
	Took []time.Duration `json:"took"` // each, on the clock
	Wall time.Duration   `json:"wall"`
	CPU  time.Duration   `json:"cpu"`
}

func startHasher() (*hasher, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &hasher{cmd: exec.Command(self, "hash")}
	h.cmd.Stderr = os.Stderr
	dieWithParent(h.cmd)
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.out = json.NewEncoder(h.stdin), json.NewDecoder(bufio.NewReader(stdout))
	return h, h.cmd.Start()
}

// run hashes with some workers for some time.
func (h *hasher) run(workers int, d time.Duration) (done hashed, err error) {
	if err := h.in.Encode(hashOrder{workers, d}); err != nil {
		return hashed{}, err
	}
	if err := h.out.Decode(&done); err != nil {
		return hashed{}, fmt.Errorf("the process of bare hashes: %w", err)
	}
	return done, nil
}

func (h *hasher) pid() int { return h.cmd.Process.Pid }

func (h *hasher) stop() error {
	_ = h.stdin.Close()
	return h.cmd.Wait()
}

// serveHashes is the other side: an order per line, an answer per line, until the input ends.
func serveHashes(r io.Reader, w io.Writer) error {
	orders, answers := json.NewDecoder(r), json.NewEncoder(w)
	for {
		var o hashOrder
		if err := orders.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(hashFor(o)); err != nil {
			return err
		}
	}
}

func hashFor(o hashOrder) (done hashed) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	cpu, began := selfCPU(), time.Now()
	for range o.Workers {
		wg.Go(func() {
			for time.Since(began) < o.For {
				start := time.Now()
				argon2.IDKey([]byte(password), []byte("sixteen bytes ok"), hashTime, hashMemory, hashThreads, hashLength)
				took := time.Since(start)
				mu.Lock()
				done.Took = append(done.Took, took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	done.Wall, done.CPU = time.Since(began), selfCPU()-cpu
	return done
}

// selfCPU is the CPU time this process has used.
func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
