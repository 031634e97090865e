// Package argon2id computes what golang.org/x/crypto/argon2.IDKey computes, with memory that is kept between hashes.
//
// A hash of the service's parameters fills 19 MiB. The library takes them from the heap each time: cleared, faulted in,
// marked and given back, they cost a tenth of the hash, and twice the memory waits to be collected. Here a hash writes
// over what the one before it left, which needs no clearing, because its first pass reads nothing it has not written.
// docs/decisions says what was measured, and why the library's assembly is copied and not called.
//
// Only the case of one lane on amd64 is here, the one that our own hashes are; every other is the library's.
package argon2id

import (
	"encoding/binary"
	"sync"

	"golang.org/x/crypto/argon2"
)

// Key is argon2.IDKey: memory is in KiB, and at most 2^32-1 bytes are taken of password and salt.
func Key(password, salt []byte, time, memory uint32, parallelism uint8, size uint32) []byte {
	if parallelism != 1 || time < 1 || !quick {
		return argon2.IDKey(password, salt, time, memory, parallelism, size)
	}
	h0 := initialHash(password, salt, time, memory, size)
	l := takeLane(max(memory/syncPoints*syncPoints, 2*syncPoints), time)
	defer l.give()
	l.begin(h0)
	for l.pass = range time {
		for l.slice = range uint32(syncPoints) {
			l.fill()
		}
	}
	return l.key(size)
}

const (
	blockWords = 128 // 1 KiB
	syncPoints = 4   // segments of a lane (RFC 9106 section 3.4)
	version    = 0x13
	typeID     = 2
)

type block [blockWords]uint64

// lane is a hash under way: RFC 9106 section 3.2 with p = 1.
type lane struct {
	memory            []block // the last one is scratch
	length, segment   uint32  // in blocks
	time, pass, slice uint32
}

// kept holds the memory of hashes that are done. The garbage collector empties it when nobody signs in for some
// minutes. It is not wiped: what one could read there is less than the passwords that pass through the same memory.
var kept sync.Pool

// keptBlocks bounds what is kept: more is the memory of an imported hash, which is hashed anew and not seen again.
const keptBlocks = 32 << 10

func takeLane(length, time uint32) *lane {
	l, ok := kept.Get().(*lane)
	if !ok || uint32(cap(l.memory)) <= length { //nolint:gosec // at most keptBlocks
		l = &lane{memory: make([]block, length+1)}
	}
	l.memory, l.length, l.segment, l.time = l.memory[:length+1], length, length/syncPoints, time
	return l
}

func (l *lane) give() {
	if l.length <= keptBlocks {
		kept.Put(l)
	}
}

// begin makes the first two blocks.
func (l *lane) begin(h0 [64]byte) {
	var seed [72]byte // H0, number of the block, number of the lane
	copy(seed[:], h0[:])
	var text [8 * blockWords]byte
	for i := range uint32(2) {
		binary.LittleEndian.PutUint32(seed[64:], i)
		longHash(text[:], seed[:])
		for j := range l.memory[i] {
			l.memory[i][j] = binary.LittleEndian.Uint64(text[8*j:])
		}
	}
}

// fill makes the blocks of one segment.
func (l *lane) fill() {
	scratch := &l.memory[l.length]
	independent := l.pass == 0 && l.slice < syncPoints/2 // of the password: the half against side channels
	addresses := addressing{}
	if independent {
		addresses.input = block{uint64(l.pass), 0, uint64(l.slice), uint64(l.length), uint64(l.time), typeID}
	}
	for index := range l.segment {
		at := l.slice*l.segment + index
		if l.pass == 0 && at < 2 {
			continue
		}
		previous := &l.memory[(at+l.length-1)%l.length]
		random := previous[0]
		if independent {
			random = addresses.at(index, scratch)
		}
		compress(&l.memory[at], previous, &l.memory[l.reference(random, index)], scratch, l.pass > 0)
	}
}

// addressing is the stream of addresses of a segment that do not depend on the password.
type addressing struct {
	input, block block
}

func (a *addressing) at(index uint32, scratch *block) uint64 {
	if counter := uint64(index/blockWords) + 1; a.input[6] != counter {
		a.input[6] = counter
		compress(&a.block, &a.input, &zero, scratch, false)
		compress(&a.block, &a.block, &zero, scratch, false)
	}
	return a.block[index%blockWords]
}

var zero block

// reference is which block goes into the one at index (section 3.4.1.1): any that is whole, the newer the likelier.
func (l *lane) reference(random uint64, index uint32) uint32 {
	whole, start := uint64(3*l.segment+index-1), uint64((l.slice+1)%syncPoints*l.segment)
	if l.pass == 0 {
		whole, start = uint64(l.slice*l.segment+index-1), 0
	}
	x := random & (1<<32 - 1)
	back := whole * (x * x >> 32) >> 32
	return uint32((start + whole - 1 - back) % uint64(l.length)) //nolint:gosec // less than the length
}

func (l *lane) key(size uint32) []byte {
	var text [8 * blockWords]byte
	for i, word := range l.memory[l.length-1] {
		binary.LittleEndian.PutUint64(text[8*i:], word)
	}
	key := make([]byte, size)
	longHash(key, text[:])
	return key
}
