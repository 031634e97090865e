package password

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestParseNormalises(t *testing.T) {
	for _, c := range []struct {
		name, raw, want string
		length          int
	}{
		{"ASCII", "correct horse", "correct horse", 13},
		{"nothing is trimmed", " a\tb\n", " a\tb\n", 5},
		{"nothing is folded", "PassWort", "PassWort", 8},
		{"ligature", "ﬁsh", "fish", 4},
		{"full width", "ｐａｓｓ１２", "pass12", 6},
		{"half width katakana", "ｶﾞ", "ガ", 1},
		{"combining", "e\u0301", "é", 1},
		{"order of combining marks", "a\u0301\u0323", "ạ\u0301", 2},
		{"conjoining jamo", "\u1112\u1161\u11ab", "한", 1},
		{"singleton", "\u212B", "Å", 1}, // the angstrom sign
		{"Kelvin keeps its case", "\u212A", "K", 1},
		{"superscript", "x²", "x2", 2},
		{"ideographic space", "a\u3000b", "a b", 3},
		{"no-break space", "a\u00a0b", "a b", 3},
		{"ellipsis", "a…", "a...", 4},
		{"one becomes eighteen", "\ufdfa", "صلى الله عليه وسلم", 18},
		{"emoji is one", "🔑", "🔑", 1},
		{"joined emoji is three", "👩\u200d🚀", "👩\u200d🚀", 3},
		{"long s becomes s", "paſs", "pass", 4},
		{"ß stays", "Maß", "Maß", 3},
		{"replacement character sent as such", "\ufffd", "\ufffd", 1},
	} {
		pw, err := Parse(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := string(pw.bytes()); got != c.want || pw.Length() != c.length {
			t.Errorf("%s: %q of length %d, want %q of %d", c.name, got, pw.Length(), c.want, c.length)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      error
	}{
		{"empty", "", ErrEmpty},
		{"1,025 bytes", strings.Repeat("a", MaxBytes+1), ErrTooLong},
		{"1,025 bytes that would normalise to fewer", strings.Repeat("ａ", 341) + "aa", ErrTooLong},
		{"1,026 bytes after normalising", strings.Repeat("\ufdfa", 32), ErrTooLong},
		{"a lone byte", "abc\xff", ErrEncoding},
		{"a surrogate", "\xed\xa0\x80", ErrEncoding},
		{"an overlong NUL", "\xc0\x80", ErrEncoding},
		{"past U+10FFFF", "\xf4\x90\x80\x80", ErrEncoding},
		{"cut off", "\xe2\x82", ErrEncoding},
		{"NUL", "abc\x00def", ErrNUL},
	} {
		pw, err := Parse(c.raw)
		var why Malformed
		if !errors.Is(err, c.want) || !errors.As(err, &why) || why.Code() == "" || !pw.IsZero() || pw.Length() != 0 {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R22: whatever 128 code points are made of, they fit.
func TestParseTakes128CodePoints(t *testing.T) {
	for _, s := range []string{"a", "é", "字", "🔑", "한"} {
		if pw, err := Parse(strings.Repeat(s, 128)); err != nil || pw.Length() != 128 {
			t.Errorf("128 of %s: length %d, %v", s, pw.Length(), err)
		}
	}
	if _, err := Parse(strings.Repeat("a", MaxBytes)); err != nil {
		t.Errorf("1,024 bytes: %v", err)
	}
}

// FuzzParse: it never panics; what it accepts is NFKC, within bounds, and a fixed point; equivalent spellings are one
// password.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"correct horse", "ﬁsh", "e\u0301", "\u1112\u1161\u11ab", "\ufdfa", "a\x00", "\xff", "a" + strings.Repeat("\u0301", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		pw, err := Parse(raw)
		if err != nil {
			if why := Malformed(""); !errors.As(err, &why) || strings.Contains(err.Error(), raw) && len(raw) > 20 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		text := string(pw.bytes())
		if !utf8.ValidString(text) || !norm.NFKC.IsNormalString(text) || text == "" || len(text) > MaxBytes || strings.Contains(text, "\x00") {
			t.Fatalf("%q became %q", raw, text)
		}
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			other, err := Parse(form.String(raw))
			if errors.Is(err, ErrTooLong) {
				continue // a decomposed spelling takes more bytes
			}
			if err != nil || string(other.bytes()) != text {
				t.Fatalf("%q and its form %v differ: %q", raw, form, text)
			}
		}
	})
}
