// Package foreign verifies the password hashes of other systems, so that people who come from one sign in with the
// password they have. The first login makes a hash of ours of it; nothing here makes one.
//
// # What is taken
//
//	$2a$ $2b$ $2y$                          bcrypt, cost 4 to 14
//	$argon2id$ $argon2i$                    version 19, up to 256 MiB
//	$scrypt$ln=16,r=8,p=1$SALT$SUM          RFC 7914, up to 128 MiB; as passlib writes it
//	$pbkdf2-sha256$i=600000$SALT$SUM        RFC 8018, up to 2,000,000 iterations; also i=N,l=BYTES, and passlib's $N$
//	$pbkdf2-sha512$i=210000$SALT$SUM        up to 1,000,000
//	$firebase-scrypt$ln=14,r=8,ss=SEPARATOR,sk=SIGNERKEY$SALT$SUM   Firebase Authentication; see firebase.go
//	{SSHA} {SSHA256} {SSHA512}              base64 of sum and salt; as OpenLDAP and its modules write them
//
// Base64 is the standard one, with or without padding.
//
// # Traps
//
//   - Whoever writes the hash chooses what it costs to verify, so Parse bounds it: a little over a second of a core and 256
//     MiB at most. Matches belongs inside of the gate of package password.
//   - bcrypt looks at 72 bytes. A longer password is refused and not cut: two people with the same beginning would have the
//     same password.
//   - Another system normalised passwords in another way than ours, or not at all. Whoever verifies tries both what was
//     typed and its normal form.
//   - A hash without a key can be guessed at by whoever steals it. It is kept sealed (package identity).
package foreign

import (
	"errors"
	"strconv"
	"strings"
)

// Kind is the algorithm of a hash with what it costs: "bcrypt-10". It is no secret, and two hashes of one kind take the
// same time to verify.
type Kind string

// Hash is a hash of another system.
type Hash struct {
	kind    Kind
	text    string
	matches func(pw []byte) bool
}

// Kind is what it is of.
func (h Hash) Kind() Kind { return h.kind }

// Text is the hash as it was read.
func (h Hash) Text() string { return h.text }

// Matches reports whether pw is the password. It costs what the hash says: see the bounds above.
func (h Hash) Matches(pw []byte) bool { return h.matches(pw) }

// Reasons why a hash is not taken. Their texts are safe to show and hold no part of it.
var (
	ErrUnknown   = errors.New("is of no kind that can be verified here")
	ErrMalformed = errors.New("is malformed")
	ErrCost      = errors.New("would cost too much to verify, or too little to be worth anything")
)

// longest is more than any hash below has.
const longest = 1024

// readers has who reads a hash, by how it begins.
var readers = []struct {
	prefix string
	read   func(rest string) (Kind, func([]byte) bool, error)
}{
	{"$2a$", readBcrypt}, {"$2b$", readBcrypt}, {"$2y$", readBcrypt},
	{"$argon2id$", readArgon2id}, {"$argon2i$", readArgon2i},
	{"$scrypt$", readScrypt},
	{"$pbkdf2-sha256$", readPBKDF2SHA256}, {"$pbkdf2-sha512$", readPBKDF2SHA512},
	{"$firebase-scrypt$", readFirebase},
	{"{SSHA}", readSSHA}, {"{SSHA256}", readSSHA256}, {"{SSHA512}", readSSHA512},
}

// Parse reads a hash as another system wrote it. Errors: the three above.
func Parse(text string) (Hash, error) {
	if len(text) > longest {
		return Hash{}, ErrMalformed
	}
	for _, r := range readers {
		rest, ok := strings.CutPrefix(text, r.prefix)
		if !ok {
			continue
		}
		kind, matches, err := r.read(rest)
		if err != nil {
			return Hash{}, err
		}
		return Hash{kind, text, matches}, nil
	}
	return Hash{}, ErrUnknown
}

// Decoy is a hash that costs what those of the kind cost, and that no password matches: for accounts that have none, so
// that the time of a login does not tell. The kind is one that a Hash had; another has no decoy.
func Decoy(k Kind) (Hash, bool) {
	name, costs, _ := strings.Cut(string(k), "-")
	if n := strings.TrimPrefix(costs, "sha"); name == "pbkdf2" && n != costs {
		var of string
		of, costs, _ = strings.Cut(costs, "-")
		name += "-" + of
	}
	text, ok := decoys[name]
	if !ok {
		return Hash{}, false
	}
	for _, cost := range strings.Split(costs, "-") {
		text = strings.Replace(text, "#", cost, 1)
	}
	h, err := Parse(text)
	if err != nil || h.kind != k {
		return Hash{}, false
	}
	matches := h.matches
	h.matches = func(pw []byte) bool { matches(pw); return false }
	return h, true
}

// decoys are hashes of nothing, by the name of their kind, with # for each number of it. The zeros are 16 bytes.
var decoys = map[string]string{
	"bcrypt":        "$2b$#$......................" + strings.Repeat(".", 31),
	"argon2id":      "$argon2id$v=19$m=#,t=#,p=#$" + zeros16 + "$" + zeros32,
	"argon2i":       "$argon2i$v=19$m=#,t=#,p=#$" + zeros16 + "$" + zeros32,
	"scrypt":        "$scrypt$ln=#,r=#,p=#$" + zeros16 + "$" + zeros32,
	"firebase":      "$firebase-scrypt$ln=#,r=#,ss=AA,sk=" + zeros32 + "$" + zeros16 + "$" + zeros32,
	"pbkdf2-sha256": "$pbkdf2-sha256$i=#$" + zeros16 + "$" + zeros32,
	"pbkdf2-sha512": "$pbkdf2-sha512$i=#$" + zeros16 + "$" + zeros32 + zeros32[:43],
	"ssha":          "{SSHA}" + zeros32,
	"ssha256":       "{SSHA256}" + zeros32 + zeros16[:21],
	"ssha512":       "{SSHA512}" + zeros32 + zeros32 + "AA",
}

var (
	zeros16 = strings.Repeat("A", 22)
	zeros32 = strings.Repeat("A", 43)
)

// number reads what is written without sign or leading zero, from 1 to high: ErrMalformed where it is no number, ErrCost
// where it is out of bounds.
func number(s string, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		if len(s) > 9 && strings.Trim(s, "0123456789") == "" && s[0] != '0' {
			return 0, ErrCost
		}
		return 0, ErrMalformed
	}
	if n < 1 || n > high {
		return 0, ErrCost
	}
	return n, nil
}

// parameters reads name=value,name=value: each of the names at most once and no others.
func parameters(s string, names ...string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(pair, "=")
		_, twice := all[name]
		if !ok || twice || !contains(names, name) {
			return nil, ErrMalformed
		}
		all[name] = value
	}
	return all, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
