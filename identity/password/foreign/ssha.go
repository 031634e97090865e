package foreign

import (
	"crypto/sha1" //nolint:gosec // what directories hold; verified once and made anew
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
)

func readSSHA(rest string) (Kind, func([]byte) bool, error) {
	return readSalted("ssha", sha1.New, rest)
}
func readSSHA256(rest string) (Kind, func([]byte) bool, error) {
	return readSalted("ssha256", sha256.New, rest)
}
func readSSHA512(rest string) (Kind, func([]byte) bool, error) {
	return readSalted("ssha512", sha512.New, rest)
}

// readSalted reads base64 of sum and salt, where the sum is over password and salt, as LDAP directories keep it.
func readSalted(kind Kind, h func() hash.Hash, rest string) (Kind, func([]byte) bool, error) {
	size := h().Size()
	both, err := unbase64(rest, size+1, size+mostSalt)
	if err != nil {
		return "", nil, err
	}
	sum, salt := both[:size], both[size:]
	return kind, func(pw []byte) bool {
		d := h()
		d.Write(pw)
		d.Write(salt)
		return subtle.ConstantTimeCompare(d.Sum(nil), sum) == 1
	}, nil
}
