package password

import (
	"encoding/binary"
	_ "unsafe" // for go:linkname

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
)

// A hash works in 19 MiB of memory. argon2.IDKey asks for them anew each time: the kernel hands over five thousand pages, Go
// clears them and collects them, and that is a seventh of what a hash costs. So the memory is kept, one for each slot of the
// gate, and filled here, for the one lane we hash with. What is done to each block is the library's own code, reached by name
// and not copied. A test holds the outcome equal to argon2.IDKey's. See docs/decisions/0011.

// block is 1 KiB of the memory (RFC 9106 section 3.2).
type block [128]uint64

const (
	mode     = 2 // argon2id (RFC 9106 section 3.1)
	quarters = 4 // slices of a lane (RFC 9106 section 3.4)
)

//go:linkname initHash golang.org/x/crypto/argon2.initHash
func initHash(password, salt, key, data []byte, time, memory, threads, keyLen uint32, mode int) [blake2b.Size + 8]byte

//go:linkname blake2bHash golang.org/x/crypto/argon2.blake2bHash
func blake2bHash(out []byte, in []byte)

//go:linkname processBlock golang.org/x/crypto/argon2.processBlock
func processBlock(out, in1, in2 *block)

//go:linkname processBlockXOR golang.org/x/crypto/argon2.processBlockXOR
func processBlockXOR(out, in1, in2 *block)

//go:linkname indexAlpha golang.org/x/crypto/argon2.indexAlpha
func indexAlpha(rand uint64, lanes, segments, threads, n, slice, lane, index uint32) uint32

//go:linkname extractKey golang.org/x/crypto/argon2.extractKey
func extractKey(b []block, memory, threads, keyLen uint32) []byte

// memories are what hashes with the same parameters work in, as many as were ever at work at once: never more than the gate
// has slots. What a hash leaves behind is overwritten by the next and tells no more than what the library leaves on the heap.
type memories struct {
	params Params
	kept   chan []block
}

func newMemories(p Params, slots int) *memories {
	return &memories{params: p, kept: make(chan []block, slots)}
}

// key is argon2.IDKey. Other parameters than ours, as imported hashes have, are left to the library.
func (m *memories) key(pw, salt []byte, p Params, size uint32) []byte {
	if p != m.params || p.Parallelism != 1 || p.Memory%quarters != 0 {
		return argon2.IDKey(pw, salt, p.Time, p.Memory, p.Parallelism, size)
	}
	b := m.take()
	defer m.give(b)
	h0 := initHash(pw, salt, nil, nil, p.Time, p.Memory, 1, size, mode)
	seed(&b[0], &h0, 0)
	seed(&b[1], &h0, 1)
	for pass := range p.Time {
		for slice := range uint32(quarters) {
			fill(b, pass, slice, p)
		}
	}
	return extractKey(b, p.Memory, 1, size)
}

// seed makes the i-th block of the lane (RFC 9106 section 3.2, steps 3 and 4).
func seed(b *block, h0 *[blake2b.Size + 8]byte, i uint32) {
	var bytes [1024]byte
	binary.LittleEndian.PutUint32(h0[blake2b.Size:], i)
	binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], 0)
	blake2bHash(bytes[:], h0[:])
	for j := range b {
		b[j] = binary.LittleEndian.Uint64(bytes[8*j:])
	}
}

// fill makes the blocks of a quarter of the lane, each of the one before and another (RFC 9106 section 3.2, steps 5 and 6).
// In the first pass they are overwritten, whatever an earlier hash has left there; in later ones they are XORed.
func fill(b []block, pass, slice uint32, p Params) {
	length := p.Memory / quarters
	choose := dataDependent(b)
	if pass == 0 && slice < quarters/2 {
		choose = dataIndependent(pass, slice, p)
	}
	mix := processBlockXOR
	first := uint32(0)
	if pass == 0 {
		mix = processBlock
		if slice == 0 {
			first = 2 // seeded
		}
	}
	for i := first; i < length; i++ {
		at := slice*length + i
		before := (at + p.Memory - 1) % p.Memory
		other := indexAlpha(choose(i, before), p.Memory, length, 1, pass, slice, 0, i)
		mix(&b[at], &b[before], &b[other])
	}
}

// dataDependent chooses as Argon2d does: by the block before (RFC 9106 section 3.4.1.1).
func dataDependent(b []block) func(i, before uint32) uint64 {
	return func(_, before uint32) uint64 { return b[before][0] }
}

// dataIndependent chooses as Argon2i does: by a counter, so that the first half of the first pass touches memory in an order
// that tells nothing of the password (RFC 9106 section 3.4.1.2).
func dataIndependent(pass, slice uint32, p Params) func(i, before uint32) uint64 {
	var addresses, zero block
	in := block{uint64(pass), 0, uint64(slice), uint64(p.Memory), uint64(p.Time), mode}
	made := uint32(0) // blocks of addresses
	return func(i, _ uint32) uint64 {
		for ; made <= i/uint32(len(addresses)); made++ {
			in[6]++
			processBlock(&addresses, &in, &zero)
			processBlock(&addresses, &addresses, &zero)
		}
		return addresses[i%uint32(len(addresses))]
	}
}

func (m *memories) take() []block {
	select {
	case b := <-m.kept:
		return b
	default:
		return make([]block, m.params.Memory)
	}
}

func (m *memories) give(b []block) {
	select {
	case m.kept <- b:
	default:
	}
}
