package password

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes bounds a password twice: as it was sent, so that an attacker cannot buy normalising work, and after
// normalising, where one character can become eighteen (U+FDFA). Every password of 128 code points fits: that is
// 512 bytes at most. There is no bound in code points: it would lock out users imported with longer passwords.
const MaxBytes = 1024

const redacted = "[redacted]"

// Password is a password in its one normal form (NFKC). Only Parse makes one, so no path can hash another form.
//
// It prints as [redacted] under every fmt verb and in JSON, XML and slog. The text is behind a pointer because fmt
// calls no methods on unexported fields: a struct that holds a Password prints an address, never the text.
type Password struct {
	text  *string
	typed *string // as it was sent, where that is not the normal form: for hashes that other systems made
}

// Malformed says why a string is no password. Its values are comparable: errors.Is works.
type Malformed string

// What Parse refuses. The values are stable codes, Error is a sentence that may be shown to anyone.
const (
	ErrEmpty    Malformed = "empty"
	ErrTooLong  Malformed = "too_long"
	ErrEncoding Malformed = "invalid_utf8"
	ErrNUL      Malformed = "nul"
)

// Error is a sentence fit for the user; it never holds any part of the password.
func (m Malformed) Error() string {
	switch m {
	case ErrEmpty:
		return "The password is empty."
	case ErrTooLong:
		return "The password is longer than 1,024 bytes."
	case ErrEncoding:
		return "The password is not valid UTF-8."
	case ErrNUL:
		return "The password holds a NUL character."
	default:
		return "The password cannot be read."
	}
}

// Code is the stable name of the reason, for machines.
func (m Malformed) Code() string { return string(m) }

// Parse reads a password as it was sent and normalises it (NFKC) once. Nothing is trimmed and nothing is folded.
// It refuses with a Malformed what cannot be compared safely: the empty string, more than MaxBytes, bytes that are not
// UTF-8 (which a lenient decoder would make equal to others) and NUL (where C libraries stop comparing).
func Parse(raw string) (Password, error) {
	switch {
	case raw == "":
		return Password{}, ErrEmpty
	case len(raw) > MaxBytes:
		return Password{}, ErrTooLong
	case !utf8.ValidString(raw):
		return Password{}, ErrEncoding
	case strings.IndexByte(raw, 0) >= 0:
		return Password{}, ErrNUL
	}
	text := norm.NFKC.String(raw)
	if len(text) > MaxBytes {
		return Password{}, ErrTooLong
	}
	if text != raw {
		return Password{text: &text, typed: &raw}, nil
	}
	return Password{text: &text}, nil
}

// Length is the number of code points after normalising: the number every rule about length means.
func (p Password) Length() int {
	if p.text == nil {
		return 0
	}
	return utf8.RuneCountInString(*p.text)
}

// IsZero reports whether the Password did not come from Parse.
func (p Password) IsZero() bool { return p.text == nil }

// bytes is what is hashed. It stays inside the package: nobody else has a reason to see it.
func (p Password) bytes() []byte { return []byte(*p.text) }

// Format prints [redacted] under every verb. It is Format and not String, because String does not cover %x or %#v,
// and because database drivers store what String answers.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts in JSON, XML and whatever else asks.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue redacts in slog.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }
