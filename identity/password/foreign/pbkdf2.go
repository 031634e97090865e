package foreign

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Iterations at most: about a second of a core.
const (
	mostPBKDF2SHA256 = 2_000_000
	mostPBKDF2SHA512 = 1_000_000
)

func readPBKDF2SHA256(rest string) (Kind, func([]byte) bool, error) {
	return readPBKDF2("sha256", sha256.New, sha256.Size, mostPBKDF2SHA256, rest)
}

func readPBKDF2SHA512(rest string) (Kind, func([]byte) bool, error) {
	return readPBKDF2("sha512", sha512.New, sha512.Size, mostPBKDF2SHA512, rest)
}

// readPBKDF2 takes the parameters as i=N or i=N,l=BYTES, and as passlib writes them: a bare N, and in base64 a dot for the
// plus. Every block of output costs all iterations again, so a sum of two (Keycloak's of SHA-256) counts twice.
func readPBKDF2(name string, h func() hash.Hash, size, most int, rest string) (Kind, func([]byte) bool, error) {
	fields := strings.Split(strings.ReplaceAll(rest, ".", "+"), "$")
	if len(fields) != 3 {
		return "", nil, ErrMalformed
	}
	if bare := fields[0]; bare != "" && strings.Trim(bare, "0123456789") == "" {
		fields[0] = "i=" + bare
	}
	p, err := parameters(fields[0], "i", "l")
	if err != nil {
		return "", nil, err
	}
	n, err := number(p["i"], most)
	if err != nil {
		return "", nil, err
	}
	salt, sum, err := saltAndSum(fields[1:])
	if l, has := p["l"]; err != nil || has && l != strconv.Itoa(len(sum)) {
		return "", nil, ErrMalformed
	}
	work := n * ((len(sum) + size - 1) / size)
	if work > most {
		return "", nil, ErrCost
	}
	return Kind(fmt.Sprintf("pbkdf2-%s-%d", name, work)), func(pw []byte) bool {
		got, err := pbkdf2.Key(h, string(pw), salt, n, len(sum))
		return err == nil && subtle.ConstantTimeCompare(got, sum) == 1
	}, nil
}
