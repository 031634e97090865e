package foreign

import (
	"crypto/subtle"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/identity/password"
)

// readArgon2id reads what package password reads, which is the form of the reference implementation, but none of ours: a
// hash with a key belongs to the tenant and the user it was made for, and verifies nowhere else.
func readArgon2id(rest string) (Kind, func([]byte) bool, error) {
	p, err := readArgon2(rest)
	if err != nil {
		return "", nil, err
	}
	return argon2Kind("argon2id", p.Params), func(pw []byte) bool {
		sum := argon2.IDKey(pw, p.Salt, p.Params.Time, p.Params.Memory, p.Params.Parallelism, uint32(len(p.Sum))) //nolint:gosec // 16 to 64
		return subtle.ConstantTimeCompare(sum, p.Sum) == 1
	}, nil
}

func readArgon2i(rest string) (Kind, func([]byte) bool, error) {
	p, err := readArgon2(rest)
	if err != nil {
		return "", nil, err
	}
	return argon2Kind("argon2i", p.Params), func(pw []byte) bool {
		sum := argon2.Key(pw, p.Salt, p.Params.Time, p.Params.Memory, p.Params.Parallelism, uint32(len(p.Sum))) //nolint:gosec // 16 to 64
		return subtle.ConstantTimeCompare(sum, p.Sum) == 1
	}, nil
}

func argon2Kind(name string, p password.Params) Kind {
	return Kind(fmt.Sprintf("%s-%d-%d-%d", name, p.Memory, p.Time, p.Parallelism))
}

var argon2Costs = regexp.MustCompile(`^m=[0-9]+,t=[0-9]+,p=[0-9]+$`)

// readArgon2 has the fields of both variants read by the same grammar and bounds. What would be read with other numbers is
// refused for those.
func readArgon2(rest string) (password.PHC, error) {
	p, err := password.ParsePHC("$argon2id$" + rest)
	if err == nil && p.KeyID == 0 {
		return p, nil
	}
	if f := strings.Split(rest, "$"); len(f) == 4 && argon2Costs.MatchString(f[1]) {
		f[1] = "m=19456,t=2,p=1"
		if _, err := password.ParsePHC("$argon2id$" + strings.Join(f, "$")); err == nil {
			return password.PHC{}, ErrCost
		}
	}
	return password.PHC{}, ErrMalformed
}
