package argon2id

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/argon2"
)

// The reference implementation's own vectors for Argon2id version 0x13 and one lane (its src/test.c).
func TestReferenceVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		password, salt string
		time, memory   uint32
		want           string
	}{
		{"password", "somesalt", 2, 1 << 16, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{"password", "somesalt", 2, 1 << 8, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{"password", "somesalt", 1, 1 << 16, "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98"},
		{"password", "somesalt", 4, 1 << 16, "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c"},
		{"differentpassword", "somesalt", 2, 1 << 16, "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
		{"password", "diffsalt", 2, 1 << 16, "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"},
	} {
		if got := hex.EncodeToString(Key([]byte(c.password), []byte(c.salt), c.time, c.memory, 1, 32)); got != c.want {
			t.Errorf("%s, %s, t=%d, m=%d: %s, want %s", c.password, c.salt, c.time, c.memory, got, c.want)
		}
	}
}

// Memory of one hash must not show in the next, whatever their sizes.
func TestEqualsTheLibrary(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 60 {
				password, salt := make([]byte, rand.IntN(200)), make([]byte, 8+rand.IntN(32))
				for _, b := range [][]byte{password, salt} {
					for i := range b {
						b[i] = byte(rand.Uint32())
					}
				}
				time, memory, size := 1+rand.Uint32N(4), rand.Uint32N(3000), 4+rand.Uint32N(200)
				got, want := Key(password, salt, time, memory, 1, size), argon2.IDKey(password, salt, time, memory, 1, size)
				if !bytes.Equal(got, want) {
					t.Errorf("t=%d, m=%d, %d bytes: %x, want %x", time, memory, size, got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestLeavesOtherCasesToTheLibrary(t *testing.T) {
	t.Parallel()
	pw, salt := []byte("password"), []byte("somesalt")
	if got, want := Key(pw, salt, 1, 256, 4, 32), argon2.IDKey(pw, salt, 1, 256, 4, 32); !bytes.Equal(got, want) {
		t.Errorf("four lanes: %x, want %x", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("no passes at all were taken")
		}
	}()
	Key(pw, salt, 0, 256, 1, 32)
}

func TestKeepsMemory(t *testing.T) {
	Key([]byte("password"), []byte("somesalt"), 1, 19456, 1, 32)
	if n := testing.AllocsPerRun(5, func() { Key([]byte("password"), []byte("somesalt"), 1, 19456, 1, 32) }); quick && n > 100 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkOverLibrary alternates the two, so that whatever else the machine does strikes both alike.
func BenchmarkOverLibrary(b *testing.B) {
	pw, salt := []byte("correct horse battery staple"), []byte("sixteen bytes ok")
	var ours, library int64
	for b.Loop() {
		start := used(b)
		Key(pw, salt, 2, 19456, 1, 32)
		middle := used(b)
		argon2.IDKey(pw, salt, 2, 19456, 1, 32)
		ours, library = ours+middle-start, library+used(b)-middle
	}
	b.ReportMetric(float64(ours)/float64(library), "ratio")
	b.ReportMetric(float64(ours)/float64(b.N), "cpu-ns/op")
}

func used(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
