package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// binding is the digest of what a cursor belongs to.
type binding [sha256.Size]byte

// checkSize is how many bytes of the digest a cursor carries.
const checkSize = 16

// maxAfter bounds the key in a cursor, in bytes.
const maxAfter = 512

// bindTo digests the parts with their lengths, so that no two lists of parts look alike.
func bindTo(parts []string) (b binding) {
	h := sha256.New()
	for _, part := range parts {
		writePart(h, part)
	}
	h.Sum(b[:0])
	return b
}

func writePart(h interface{ Write([]byte) (int, error) }, part string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	_, _ = h.Write(n[:]) // a hash does not fail
	_, _ = h.Write([]byte(part))
}

func (b binding) check(after string) []byte {
	h := sha256.New()
	writePart(h, string(b[:]))
	writePart(h, after)
	return h.Sum(nil)[:checkSize]
}

// seal makes a cursor. The digest has no key, as replicas would have to share it and nothing depends on its secrecy: it
// catches cursors of other lists and damage, while a forged cursor only starts a list the client may read anyway at a row
// of its choice. Whose rows are listed comes from the request's tenant and never from the cursor.
func (b binding) seal(after string) string {
	return base64.RawURLEncoding.EncodeToString(append(b.check(after), after...))
}

// open reads a cursor back; strictly, so that a cursor has one spelling.
func (b binding) open(cursors []string) (after string, ok bool) {
	if len(cursors) != 1 || len(cursors[0]) > base64.RawURLEncoding.EncodedLen(checkSize+maxAfter) {
		return "", false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursors[0])
	if err != nil || len(data) <= checkSize {
		return "", false
	}
	after = string(data[checkSize:])
	if !plain(after) || subtle.ConstantTimeCompare(data[:checkSize], b.check(after)) != 1 {
		return "", false
	}
	return after, true
}

// plain reports whether Postgres would take the text: valid UTF-8, and no control characters, NUL above all.
func plain(s string) bool {
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}
	return utf8.ValidString(s)
}
