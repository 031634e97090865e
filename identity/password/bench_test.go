//go:build unix

package password

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
)

// The two benchmarks give the ratio that a login may cost at most: 1.05 of one bare hash. Wall time says little on a
// shared machine, so both report the CPU time of the whole process, garbage collection included. Compare cpu-ns/op of
//
//	go test -run '^$' -bench 'Verify|Bare' -count 10 ./identity/password
func BenchmarkBareArgon2id(b *testing.B) {
	pw, salt := []byte("correct horse battery staple"), random(saltLen)
	cpu(b, func() {
		argon2.IDKey(pw, salt, DefaultParams.Time, DefaultParams.Memory, DefaultParams.Parallelism, sumLen)
	})
}

func BenchmarkVerify(b *testing.B) {
	h, tenant, user, pw := NewHasher(fairshare.NewGate(fairshare.Options{}), DefaultParams), home, id.NewUser(), parsed(b, "correct horse battery staple")
	pepper := new(vault).pepper
	stored, err := h.Hash(context.Background(), tenant, user, pw, pepper)
	if err != nil {
		b.Fatal(err)
	}
	cpu(b, func() {
		if ok, _, err := h.Verify(context.Background(), tenant, user, pw, stored, pepper); !ok || err != nil {
			b.Fatal(ok, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parsed(b, "correct horse battery staple ｆｕｌｌ")
	}
}

func BenchmarkParsePHC(b *testing.B) {
	b.ReportAllocs()
	s := "$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for b.Loop() {
		if _, err := ParsePHC(s); err != nil {
			b.Fatal(err)
		}
	}
}

func cpu(b *testing.B, f func()) {
	b.ReportAllocs()
	f() // the first one pays for the heap's growth
	runtime.GC()
	before := processCPU()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(processCPU()-before)/float64(b.N), "cpu-ns/op")
}

// processCPU is the CPU time this process has used, of all threads, user and system, in nanoseconds.
func processCPU() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkVerifyOverBare alternates the two, so that whatever else the machine does strikes both alike; ratio is what
// the requirement bounds.
func BenchmarkVerifyOverBare(b *testing.B) {
	h, tenant, user, pw := NewHasher(fairshare.NewGate(fairshare.Options{}), DefaultParams), home, id.NewUser(), parsed(b, "correct horse battery staple")
	pepper, salt := new(vault).pepper, random(saltLen)
	stored, err := h.Hash(context.Background(), tenant, user, pw, pepper)
	if err != nil {
		b.Fatal(err)
	}
	var bare, verify int64
	for b.Loop() {
		start := processCPU()
		argon2.IDKey(pw.bytes(), salt, DefaultParams.Time, DefaultParams.Memory, DefaultParams.Parallelism, sumLen)
		middle := processCPU()
		if ok, _, err := h.Verify(context.Background(), tenant, user, pw, stored, pepper); !ok || err != nil {
			b.Fatal(ok, err)
		}
		bare, verify = bare+middle-start, verify+processCPU()-middle
	}
	b.ReportMetric(float64(verify)/float64(bare), "ratio")
	b.ReportMetric(float64(verify)/float64(b.N), "verify-cpu-ns/op")
}

// BenchmarkNobody mixes a wrong password with nobody's: R10 bounds the difference of the medians (2 ms or 5 %) and
// how well one sample tells the two apart (auc: 0.5 is a coin, at most 0.55 and at least 0.45).
func BenchmarkNobody(b *testing.B) {
	h, tenant, user, pw := NewHasher(fairshare.NewGate(fairshare.Options{}), DefaultParams), home, id.NewUser(), parsed(b, "correct horse battery staple")
	pepper := new(vault).pepper
	stored, err := h.Hash(context.Background(), tenant, user, pw, pepper)
	if err != nil {
		b.Fatal(err)
	}
	wrong, took := parsed(b, "wrong horse battery staple"), [2][]time.Duration{}
	for b.Loop() {
		// At random: the collector runs at every second hash or so, and strict alternation would charge it to one side.
		i := rand.IntN(2)
		start := time.Now()
		if ok, _, err := h.Verify(context.Background(), tenant, user, wrong, [2]Hash{stored, ""}[i], pepper); ok || err != nil {
			b.Fatal(ok, err)
		}
		took[i] = append(took[i], time.Since(start))
	}
	wins := 0.0
	for _, x := range took[0] {
		for _, y := range took[1] {
			if x > y {
				wins++
			}
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	if len(took[0]) == 0 || len(took[1]) == 0 {
		return // the first rounds of the benchmark are too short
	}
	b.ReportMetric(float64(took[0][len(took[0])/2]-took[1][len(took[1])/2]), "median-diff-ns")
	b.ReportMetric(wins/float64(len(took[0])*len(took[1])), "auc")
}
