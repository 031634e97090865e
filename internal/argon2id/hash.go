package argon2id

import (
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/blake2b"
)

// initialHash is H0 of RFC 9106 section 3.2, without a secret and associated data.
func initialHash(password, salt []byte, time, memory, size uint32) (h0 [64]byte) {
	h := blake(blake2b.Size)
	number := func(n uint32) { _, _ = h.Write(binary.LittleEndian.AppendUint32(nil, n)) }
	for _, n := range []uint32{1, size, memory, time, version, typeID} {
		number(n)
	}
	for _, text := range [][]byte{password, salt, nil, nil} {
		number(uint32(len(text))) //nolint:gosec // as in the library
		_, _ = h.Write(text)
	}
	h.Sum(h0[:0])
	return h0
}

// longHash is H' of section 3.3: a BLAKE2b of any length.
func longHash(out, in []byte) {
	h := blake(min(len(out), blake2b.Size))
	_, _ = h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(out)))) //nolint:gosec // was a uint32
	_, _ = h.Write(in)
	v := h.Sum(nil)
	for len(out) > blake2b.Size {
		out = out[copy(out, v[:blake2b.Size/2]):]
		h = blake(min(len(out), blake2b.Size))
		_, _ = h.Write(v)
		v = h.Sum(v[:0])
	}
	copy(out, v)
}

func blake(size int) hash.Hash {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // only for a size that is out of bounds
	}
	return h
}
