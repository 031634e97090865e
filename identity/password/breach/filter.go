// Package breach answers whether a password was found in a breach, from a file that an operator made of a list of SHA-1
// hashes (Have I Been Pwned's, or any other). Nothing is asked of anybody else.
//
//	list of hashes --Build--> file --Open--> Filter --Contains--> perhaps, or surely not
//
// The file is a Bloom filter in blocks of a cache line (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom
// Filters, 2007): of each hash all bits are in one block of 64 bytes, so a question is one read of 64 bytes from the
// file, and the operating system keeps the pages that are asked for. The filter takes no memory of ours whatever its
// size. A password that is not in the list is refused as if it were, once in as many as the file was made for.
//
//	header (64 bytes) | blocks
//	header: magic, version, bits for each hash, number of blocks, number of hashes, CRC-32C of the blocks, CRC-32C of the header
//
// Traps. The checksum finds damage, not malice: whoever can write the file can make a filter that knows nothing. A block is
// chosen, and its bits, by the hash itself, which is as random as anything we could make of it.
package breach

import (
	"crypto/sha1" //nolint:gosec // the name under which breached passwords are known
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"os"
)

const (
	magic      = "GHBREACH"
	version    = 1
	headerSize = 64
	blockSize  = 64 // bytes; a cache line
	blockBits  = blockSize * 8
)

// ErrDamaged is a file that is no filter, or not all of one.
var ErrDamaged = errors.New("breach: the file is not a whole filter")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the beginning of a file.
type header struct {
	probes uint32 // bits that are set for each hash
	blocks uint64
	hashes uint64
	sum    uint32 // of the blocks
}

func (h header) encode() []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, h.probes)
	b = binary.LittleEndian.AppendUint64(b, h.blocks)
	b = binary.LittleEndian.AppendUint64(b, h.hashes)
	b = binary.LittleEndian.AppendUint32(b, h.sum)
	b = append(b, make([]byte, headerSize-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHeader(b []byte) (h header, err error) {
	sum := binary.LittleEndian.Uint32(b[headerSize-4:])
	if string(b[:8]) != magic || sum != crc32.Checksum(b[:headerSize-4], castagnoli) {
		return h, ErrDamaged
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return h, fmt.Errorf("breach: the file has version %d, this program reads %d", v, version)
	}
	h = header{probes: binary.LittleEndian.Uint32(b[12:]), blocks: binary.LittleEndian.Uint64(b[16:]),
		hashes: binary.LittleEndian.Uint64(b[24:]), sum: binary.LittleEndian.Uint32(b[32:])}
	if h.blocks == 0 || h.blocks > 1<<40 || h.probes == 0 || h.probes > mostProbes {
		return h, ErrDamaged
	}
	return h, nil
}

// Filter is an open file. It is safe for concurrent use.
type Filter struct {
	header
	file io.ReaderAt
	end  io.Closer
}

// Open reads a file to its end, once, to see that it is whole.
func Open(path string) (*Filter, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	h, err := check(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Filter{h, f, f}, nil
}

func check(f *os.File) (h header, err error) {
	var first [headerSize]byte
	if _, err := io.ReadFull(f, first[:]); err != nil {
		return h, ErrDamaged
	}
	if h, err = decodeHeader(first[:]); err != nil {
		return h, err
	}
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err != nil {
		return h, err
	}
	if uint64(n) != h.blocks*blockSize || sum.Sum32() != h.sum { //nolint:gosec // what was copied is not negative
		return h, ErrDamaged
	}
	return h, nil
}

// Close closes the file.
func (f *Filter) Close() error { return f.end.Close() }

// Hashes is how many hashes the filter was made of.
func (f *Filter) Hashes() uint64 { return f.hashes }

// Contains reports whether a hash was perhaps in the list; false is certain.
func (f *Filter) Contains(sum [sha1.Size]byte) (bool, error) {
	var block [blockSize]byte
	at := int64(headerSize + blockOf(sum, f.blocks)*blockSize) //nolint:gosec // within the file
	if _, err := f.file.ReadAt(block[:], at); err != nil {
		return false, fmt.Errorf("breach: %w", err)
	}
	for i := range f.probes {
		bit := probe(sum, i)
		if block[bit/8]&(1<<(bit%8)) == 0 {
			return false, nil
		}
	}
	return true, nil
}

// blockOf is the block of a hash: the first 64 bits of it as a fraction of the blocks.
func blockOf(sum [sha1.Size]byte, blocks uint64) uint64 {
	high, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:]), blocks)
	return high
}

// probe is the bit of a hash with this number: a step further each time, by the rest of the hash, so no bit of it decides
// twice about the block. The step is odd, so the bits differ until all were set.
func probe(sum [sha1.Size]byte, i uint32) uint32 {
	first, step := binary.BigEndian.Uint32(sum[8:]), binary.BigEndian.Uint32(sum[12:])|1
	spread := binary.BigEndian.Uint32(sum[16:])
	return (first + i*step + (i*i*i-i)/6*(spread&^1)) % blockBits
}
