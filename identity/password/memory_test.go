package password

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"
)

// The steps are the library's by name; that they still make what the library makes is told here, for every length of key
// and of input that takes another path through them, and with memory that another hash has left behind.
func TestKeptMemoryMakesWhatTheLibraryMakes(t *testing.T) {
	t.Parallel()
	for _, p := range []Params{cheap, {Memory: minMemory + 4, Time: 3, Parallelism: 1}, DefaultParams} {
		m := newMemories(p, 1)
		for range 12 {
			pw, salt := random(rand.IntN(200)), random(8+rand.IntN(56))
			size := uint32(16 + rand.IntN(100))
			got := m.key(pw, salt, p, size)
			if want := argon2.IDKey(pw, salt, p.Time, p.Memory, p.Parallelism, size); !bytes.Equal(got, want) {
				t.Fatalf("%+v, %d bytes of password, %d of salt, %d of key: %x, the library says %x", p, len(pw), len(salt), size, got, want)
			}
		}
	}
}

func TestHashesAtOnceDoNotShareMemory(t *testing.T) {
	t.Parallel()
	m := newMemories(cheap, 4)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			pw, salt := random(20), random(saltLen)
			if !bytes.Equal(m.key(pw, salt, cheap, sumLen), argon2.IDKey(pw, salt, cheap.Time, cheap.Memory, cheap.Parallelism, sumLen)) {
				t.Error("a hash came out wrong")
			}
		})
	}
	wg.Wait()
	if n := len(m.kept); n > 4 {
		t.Errorf("%d memories kept, want 4 at most", n)
	}
}
