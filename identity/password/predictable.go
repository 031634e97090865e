package password

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/identity/password/blocklist"
)

// What no list can hold, because there is no end of it: passwords of any length that take a moment to describe.

// shortUnit is how long something repeated may not be: what is not secret once is none the second time, and what would be
// too short for a password is too short for a part of one.
const shortUnit = FloorMinLength

// repeats reports whether a folded password is something short or common two times or more, the last time perhaps in part.
func repeats(folded string) bool {
	r := []rune(folded)
	n := period(r)
	return n > 0 && 2*n <= len(r) && (n < shortUnit || blocklist.Contains(string(r[:n])))
}

// period is the least distance at which every character is the one before, by the failure function of Knuth, Morris and
// Pratt: an attacker sends a kilobyte and gets no quadratic work for it.
func period(r []rune) int {
	if len(r) == 0 {
		return 0
	}
	border := make([]int, len(r))
	for i := 1; i < len(r); i++ {
		n := border[i-1]
		for n > 0 && r[i] != r[n] {
			n = border[n-1]
		}
		if r[i] == r[n] {
			n++
		}
		border[i] = n
	}
	return len(r) - border[len(r)-1]
}

// inOrder reports whether every character is the next one, or every one the one before; 9 is followed by 0 and z by a.
func inOrder(folded string) bool {
	r := []rune(folded)
	if len(r) < 3 {
		return false
	}
	up, down := true, true
	for i := 1; i < len(r); i++ {
		up = up && follows(r[i-1], r[i])
		down = down && follows(r[i], r[i-1])
	}
	return up || down
}

func follows(a, b rune) bool {
	return b == a+1 || a == '9' && b == '0' || a == 'z' && b == 'a' || a == '0' && b == '9'
}

// Words are those an attacker tries first for one account.
type Words struct {
	User   []string // address, name
	Tenant []string // name, slug, domains
}

// service is what this service is called.
var service = []string{"gatehouse"}

// shortestWord is how many characters a word needs to say something about a password.
const shortestWord = 3

// mostDigits is how many digits beside the words are taken for decoration. More of them may be a secret of their own.
const mostDigits = 8

// in is why a folded password is too weak for the account of these words, or nothing. It is when nothing is left of it
// but decoration once they are taken out: digits, marks, and at most one more word that is common. A passphrase in which
// one of them happens to stand is none.
func (w Words) in(folded string) (found []Reason) {
	rest := folded
	for _, of := range []struct {
		reason Reason
		words  []string
	}{{ContainsUser, w.User}, {ContainsTenant, w.Tenant}, {ContainsService, service}} {
		before := rest
		for _, word := range parts(of.words) {
			rest = strings.ReplaceAll(rest, word, "\x00")
		}
		if rest != before {
			found = append(found, of.reason)
		}
	}
	if len(found) > 0 && !decoration(rest) {
		return nil
	}
	return found
}

// decoration reports whether what is left, with a NUL for each word that was taken out, adds little.
func decoration(rest string) bool {
	letters, digits := strings.Builder{}, 0
	for _, r := range rest {
		switch {
		case unicode.IsLetter(r):
			letters.WriteRune(r)
		case unicode.IsDigit(r):
			digits++
		}
	}
	if digits > mostDigits {
		for piece := range strings.SplitSeq(rest, "\x00") {
			if utf8.RuneCountInString(piece) > mostDigits && !blocklist.Contains(piece) && !repeats(piece) && !inOrder(piece) {
				return false
			}
		}
	}
	return letters.Len() <= 1 || blocklist.Contains(letters.String())
}

// parts are words and what they are made of, folded, the longest first so that none hides another.
func parts(words []string) (all []string) {
	for _, word := range words {
		word = blocklist.Fold(word)
		pieces := strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, p := range append(pieces, word, strings.Join(pieces, "")) {
			if utf8.RuneCountInString(p) >= shortestWord && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
