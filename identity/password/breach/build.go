package breach

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the name under which breached passwords are known
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// BuildOptions is what a filter is made of.
type BuildOptions struct {
	In       string  // a file of lines HASH or HASH:COUNT, the hash in hexadecimal, in any order
	Out      string  // replaced once the new one is whole
	Rate     float64 // of false alarms
	MinCount uint64  // hashes that were seen less often are left out; a line without a count was seen once
	Memory   int64   // bytes of the filter to hold at a time
	// Progress is told the bytes of lists read so far, and how many there are to read in all.
	Progress func(read, of int64)
}

// Build makes a filter. It reads the list once to count it, and then once for as much of the filter as Memory holds, so
// what it needs does not depend on the length of the list.
func Build(o BuildOptions) (hashes uint64, err error) {
	info, err := os.Stat(o.In)
	if err != nil {
		return 0, err
	}
	if _, _, err := plan(1, o.Rate); err != nil { // before the list is read for nothing
		return 0, err
	}
	progress, total := int64(0), info.Size()
	pass := func(each func([sha1.Size]byte)) error {
		before := progress
		return readHashes(o.In, o.MinCount, each, func(n int64) {
			progress = before + n
			o.Progress(progress, max(total, progress))
		})
	}
	if err := pass(func([sha1.Size]byte) { hashes++ }); err != nil {
		return 0, err
	}
	if hashes == 0 {
		return 0, errors.New("breach: the list holds no hashes")
	}
	h := header{hashes: hashes}
	if h.blocks, h.probes, err = plan(hashes, o.Rate); err != nil {
		return 0, err
	}
	at := max(1, uint64(o.Memory/blockSize)) //nolint:gosec // checked by the command
	total *= int64((h.blocks+at-1)/at) + 1   //nolint:gosec // a small number
	return hashes, write(o.Out, h, at, pass)
}

// write fills the blocks, so many at a time, each time with the whole list.
func write(path string, h header, at uint64, pass func(func([sha1.Size]byte)) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".breach-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(make([]byte, headerSize)); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	part := make([]byte, min(at, h.blocks)*blockSize)
	for from := uint64(0); from < h.blocks; from += at {
		part = part[:min(at, h.blocks-from)*blockSize]
		clear(part)
		if err := pass(func(hash [sha1.Size]byte) { h.mark(part, from, hash) }); err != nil {
			return err
		}
		if _, err := io.MultiWriter(f, sum).Write(part); err != nil {
			return err
		}
	}
	h.sum = sum.Sum32()
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// mark sets the bits of a hash if its block is in this part.
func (h header) mark(part []byte, from uint64, hash [sha1.Size]byte) {
	n := blockOf(hash, h.blocks)
	if n < from || (n-from)*blockSize >= uint64(len(part)) {
		return
	}
	block := part[(n-from)*blockSize:][:blockSize]
	for i := range h.probes {
		bit := probe(hash, i)
		block[bit/8] |= 1 << (bit % 8)
	}
}

// readHashes reads a list to its end.
func readHashes(path string, minCount uint64, each func([sha1.Size]byte), told func(int64)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	var read int64
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if read += int64(len(line)); n%(1<<20) == 0 || err != nil {
			told(read)
		}
		if len(line) > 0 {
			if err := readHash(bytes.TrimSpace(line), minCount, each); err != nil {
				return fmt.Errorf("%s, line %d: %w", path, n, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
}

func readHash(line []byte, minCount uint64, each func([sha1.Size]byte)) error {
	if len(line) == 0 {
		return nil
	}
	digits, count, counted := bytes.Cut(line, []byte(":"))
	var hash [sha1.Size]byte
	if len(digits) != 2*sha1.Size {
		return errors.New("is not a SHA-1 hash in 40 hexadecimal digits")
	}
	if _, err := hex.Decode(hash[:], digits); err != nil {
		return errors.New("is not a SHA-1 hash in 40 hexadecimal digits")
	}
	seen := uint64(1)
	if counted {
		var err error
		if seen, err = strconv.ParseUint(string(count), 10, 64); err != nil {
			return errors.New("has no number after the colon")
		}
	}
	if seen >= minCount {
		each(hash)
	}
	return nil
}
