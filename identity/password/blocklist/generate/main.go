// Command generate makes the list of package blocklist, as go generate runs it:
//
//	go generate ./identity/password/blocklist
//
// With -cut it makes seen.txt.gz anew from a list of passwords, the most used first; that is done once for each edition of
// such a list, by hand.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/identity/password/blocklist"
)

func main() {
	seen := flag.String("seen", "seen.txt.gz", "`file` of the passwords that were seen")
	out := flag.String("out", "list.bin", "`file` for the list")
	cut := flag.String("cut", "", "make the file of -seen from this `list` of passwords")
	flag.Parse()
	if err := run(*seen, *out, *cut); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(seen, out, cut string) error {
	if cut != "" {
		return cutFrom(cut, seen)
	}
	words, err := read(seen)
	if err != nil {
		return err
	}
	return os.WriteFile(out, encode(entries(words)), 0o644)
}

// How many of the passwords that were seen are kept, by their length in characters. The shortest are no passwords here:
// others are made of them.
const (
	keptShort  = 2_000  // of 4 to 7
	keptMiddle = 40_000 // of 8 to 14
	shortest   = 4
	middle     = 8
	long       = 15
)

// cutFrom keeps of a list, in its order, what seen.txt.gz is to hold.
func cutFrom(path, into string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var text bytes.Buffer
	known, short, mid := map[string]bool{}, 0, 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word := blocklist.Fold(strings.TrimSpace(lines.Text()))
		n := utf8.RuneCountInString(word)
		switch {
		case known[word] || n < shortest || !utf8.ValidString(word):
			continue
		case n < middle:
			if short++; short > keptShort {
				continue
			}
		case n < long:
			if mid++; mid > keptMiddle {
				continue
			}
		}
		known[word] = true
		text.WriteString(word + "\n")
	}
	if err := lines.Err(); err != nil {
		return err
	}
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is one there is
	if _, err := z.Write(text.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(into, packed.Bytes(), 0o644)
}

// read is the passwords that were seen, the most used first.
func read(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ReplaceAll(string(text), " ", "\u00a0")) // a space is part of a password
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "\u00a0", " ")
	}
	if len(words) == 0 {
		return nil, errors.New("there are no passwords in " + path)
	}
	return words, nil
}

// entries is everything the list is to hold.
func entries(seen []string) map[string]bool {
	all := map[string]bool{}
	for _, word := range seen {
		all[word] = true
	}
	for word := range patterns(seen) {
		if word = blocklist.Fold(word); utf8.RuneCountInString(word) >= middle {
			all[word] = true
		}
	}
	return all
}

func encode(words map[string]bool) []byte {
	prints := map[uint64]bool{}
	for word := range words {
		prints[blocklist.Fingerprint(word)] = true
	}
	var out []byte
	for _, p := range slices.Sorted(maps.Keys(prints)) {
		out = binary.BigEndian.AppendUint64(out, p)
	}
	return out
}
