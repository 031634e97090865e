package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
)

// Hash is a stored password hash, a PHC string:
//
//	$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ$<salt>$<hash>
//
// With keyid (the version of the pepper key, its decimal digits in base64) the last field is the keyed step's output;
// without it, as in imports, it is the bare argon2id output. The zero Hash is that of somebody without a password.
//
// It prints as [redacted] in fmt, JSON, XML and slog, except where they call no methods: from an unexported field of
// another struct, under %p (which vet refuses), and as the key of a map in JSON. It has no String method, because
// database drivers store what String answers: to store it, convert it: string(h).
type Hash string

// Format prints [redacted] under every verb.
func (Hash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts in JSON and XML.
func (Hash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue redacts in slog.
func (Hash) LogValue() slog.Value { return slog.StringValue(redacted) }

// PHC is a Hash taken apart.
type PHC struct {
	Params Params
	KeyID  int    // version of the pepper key, from 1; 0 means not peppered
	Salt   []byte // 8 to 64 bytes
	Sum    []byte // 16 to 64 bytes
}

// Format prints [redacted] under every verb, as Hash does.
func (PHC) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts in JSON and XML.
func (PHC) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue redacts in slog.
func (PHC) LogValue() slog.Value { return slog.StringValue(redacted) }

// ErrMalformedHash is returned for a stored hash outside the grammar or the bounds. It holds no part of the string.
var ErrMalformedHash = errors.New("password: stored hash is malformed or out of bounds")

const (
	maxKeyID = 99_999_999 // the PHC string format allows a keyid of 8 bytes
	minSalt  = 8
	minSum   = 16
	maxField = 64
)

// grammar is exact: parameters in this order, no leading zeros, nothing left out. Lengths are bounded here, so that
// what follows works on a short string whatever was stored.
var grammar = regexp.MustCompile(`^\$argon2id\$v=19` +
	`\$m=([1-9][0-9]{0,5}),t=([1-9][0-9]?),p=([1-9])(?:,keyid=([A-Za-z0-9+/]{2,11}))?` +
	`\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$`)

// b64 is base64 as PHC strings write it: no padding, and Strict, because without it the unused bits of the last
// character give one hash several spellings.
var b64 = base64.RawStdEncoding.Strict()

// ParsePHC reads a stored hash. What it accepts it writes back the same: string(p.Hash()) == s. It refuses what would
// cost too much to verify (Params.check), so a hostile import cannot exhaust the machine.
func ParsePHC(s string) (PHC, error) {
	f := grammar.FindStringSubmatch(s)
	if f == nil {
		return PHC{}, ErrMalformedHash
	}
	p := PHC{Params: Params{Memory: uint32(atoi(f[1])), Time: uint32(atoi(f[2])), Parallelism: uint8(atoi(f[3]))}} //nolint:gosec // the grammar bounds the digits
	var err, bad error
	if p.KeyID, err = parseKeyID(f[4]); err != nil {
		bad = err
	}
	if p.Salt, err = b64.DecodeString(f[5]); err != nil || len(p.Salt) < minSalt || len(p.Salt) > maxField {
		bad = ErrMalformedHash
	}
	if p.Sum, err = b64.DecodeString(f[6]); err != nil || len(p.Sum) < minSum || len(p.Sum) > maxField {
		bad = ErrMalformedHash
	}
	if bad != nil || p.Params.check() != nil {
		return PHC{}, ErrMalformedHash
	}
	return p, nil
}

// Hash writes the PHC string.
func (p PHC) Hash() Hash {
	key := ""
	if p.KeyID > 0 {
		key = KeyParameter(p.KeyID)
	}
	return Hash(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d%s$%s$%s", p.Params.Memory, p.Params.Time,
		p.Params.Parallelism, key, b64.EncodeToString(p.Salt), b64.EncodeToString(p.Sum)))
}

// KeyParameter is how a hash says that it was peppered with this version of the key.
func KeyParameter(version int) string {
	return ",keyid=" + b64.EncodeToString([]byte(strconv.Itoa(version)))
}

// parseKeyID reads the version of the pepper key: canonical base64 of canonical decimal, 1 to maxKeyID.
func parseKeyID(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	digits, err := b64.DecodeString(s)
	if err != nil {
		return 0, ErrMalformedHash
	}
	n, err := strconv.Atoi(string(digits))
	if err != nil || n < 1 || n > maxKeyID || strconv.Itoa(n) != string(digits) {
		return 0, ErrMalformedHash
	}
	return n, nil
}

// atoi reads what grammar has already seen to be a few digits.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
