package foreign

import (
	"crypto/subtle"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// scryptCost is N = 2^ln, r and p of RFC 7914.
type scryptCost struct{ ln, r, p int }

// Bounds of scrypt: 128 MiB, and the work of the greatest recommendation of the OWASP Password Storage Cheat Sheet (ln=17,
// r=8, p=1) twice.
const (
	mostScryptBlocks = 1 << 20 // N times r, of 128 bytes each
	mostScryptWork   = 1 << 21 // N times r times p
)

func readScryptCost(ln, r, p string) (c scryptCost, err error) {
	if c.ln, err = number(ln, 20); err != nil {
		return c, err
	}
	if c.r, err = number(r, 64); err != nil {
		return c, err
	}
	if c.p, err = number(p, 64); err != nil {
		return c, err
	}
	if blocks := c.r << c.ln; blocks > mostScryptBlocks || blocks*c.p > mostScryptWork {
		return c, ErrCost
	}
	return c, nil
}

func (c scryptCost) key(pw, salt []byte, n int) []byte {
	key, err := scrypt.Key(pw, salt, 1<<c.ln, c.r, c.p, n)
	if err != nil {
		return nil // within its bounds there is no error
	}
	return key
}

func readScrypt(rest string) (Kind, func([]byte) bool, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return "", nil, ErrMalformed
	}
	p, err := parameters(fields[0], "ln", "r", "p")
	if err != nil {
		return "", nil, err
	}
	c, err := readScryptCost(p["ln"], p["r"], p["p"])
	if err != nil {
		return "", nil, err
	}
	salt, sum, err := saltAndSum(fields[1:])
	return Kind(fmt.Sprintf("scrypt-%d-%d-%d", c.ln, c.r, c.p)), func(pw []byte) bool {
		return subtle.ConstantTimeCompare(c.key(pw, salt, len(sum)), sum) == 1
	}, err
}
