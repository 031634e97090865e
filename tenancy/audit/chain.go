package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Hash is a link of the chain. The one before the first entry is all zeros.
type Hash [sha256.Size]byte

// next is the link that an entry makes of the one before. Postgres makes the same one (see appendEntry), inside the
// statement that adds the entry.
func (h Hash) next(entry string) Hash { return sha256.Sum256(append(h[:], entry...)) }

var errHash = errors.New("audit: not a hash")

// MarshalText and UnmarshalText carry the hash in JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads what MarshalText wrote, in the one spelling it has.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != string(text) {
		return errHash
	}
	copy(h[:], b)
	return nil
}

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head is an end of a chain: the hash of the entry of this number, which is the digest of all entries up to it.
type Head struct {
	Seq  int64
	Hash Hash
}
