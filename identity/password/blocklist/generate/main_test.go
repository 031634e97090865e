package main

import (
	"bytes"
	"os"
	"testing"
	"unicode/utf8"
)

// The list in the program is the one that can be made again from what is here.
func TestTheListIsMadeFromItsSources(t *testing.T) {
	t.Parallel()
	seen, err := read("../seen.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../list.bin")
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(entries(seen)); !bytes.Equal(got, want) {
		t.Errorf("made anew the list has %d bytes and not %d, or others: go generate ./identity/password/blocklist", len(got), len(want))
	}
}

// NIST SP 800-63B-4 and ASVS 5.0 6.2.4 want a list that says something about the passwords the rule of length lets through.
func TestManyEntriesAreAsLongAsPasswordsMustBe(t *testing.T) {
	t.Parallel()
	seen, err := read("../seen.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	var ofEight, ofFifteen, seenOfFifteen int
	for word := range entries(seen) {
		if n := utf8.RuneCountInString(word); n >= 15 {
			ofEight, ofFifteen = ofEight+1, ofFifteen+1
		} else if n >= 8 {
			ofEight++
		}
	}
	for _, word := range seen {
		if utf8.RuneCountInString(word) >= 15 {
			seenOfFifteen++
		}
	}
	t.Logf("%d of 8 or more, %d of 15 or more, %d of those seen", ofEight, ofFifteen, seenOfFifteen)
	if ofEight < 10_000 || ofFifteen < 10_000 || seenOfFifteen < 3_000 {
		t.Errorf("%d of 8 or more, %d of 15 or more, %d of those seen", ofEight, ofFifteen, seenOfFifteen)
	}
}
