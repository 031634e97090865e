package foreign

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
)

// Firebase Authentication's own scrypt (github.com/firebase/scrypt): the password makes a key by scrypt, over the user's
// salt and the project's separator, and the hash is the project's signer key encrypted with it.
//
//	SUM = AES-256-CTR(key = scrypt(password, SALT | SEPARATOR, N = 2^ln, r, p = 1, 32 bytes), iv = 0, SIGNERKEY)
//
// `firebase auth:export` writes salt and hash of each user; the console tells the project's parameters under the names
// base64_signer_key (sk), base64_salt_separator (ss), rounds (r) and mem_cost (ln). A hash carries them all:
//
//	$firebase-scrypt$ln=14,r=8,ss=Bw,sk=jxspr8Ki...$42xEC+ixf3L2lw$lSrfV15c...
//
// Taken as well are n or m for ln, p=1 and v=1, and the two keys as a fourth and a fifth field, separator first.
func readFirebase(rest string) (Kind, func([]byte) bool, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 && len(fields) != 5 {
		return "", nil, ErrMalformed
	}
	p, err := parameters(fields[0], "ln", "n", "m", "r", "p", "v", "ss", "sk")
	if err != nil || cmp.Or(p["p"], "1") != "1" || cmp.Or(p["v"], "1") != "1" {
		return "", nil, ErrMalformed
	}
	if len(fields) == 5 {
		p["ss"], p["sk"] = fields[3], fields[4]
	}
	c, err := readScryptCost(cmp.Or(p["ln"], p["n"], p["m"]), p["r"], "1")
	if err != nil {
		return "", nil, err
	}
	salt, sum, err := saltAndSum(fields[1:3])
	if err != nil {
		return "", nil, err
	}
	separator, err := unbase64(p["ss"], 0, mostSalt)
	if err != nil {
		return "", nil, err
	}
	signer, err := unbase64(p["sk"], leastSum, mostSum)
	if err != nil || len(signer) != len(sum) {
		return "", nil, ErrMalformed
	}
	salt = slices.Concat(salt, separator)
	return Kind(fmt.Sprintf("firebase-%d-%d", c.ln, c.r)), func(pw []byte) bool {
		return subtle.ConstantTimeCompare(encryptCTR(c.key(pw, salt, 32), signer), sum) == 1
	}, nil
}

func encryptCTR(key, text []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil // the key has 32 bytes
	}
	out := make([]byte, len(text))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, text) //nolint:gosec // Firebase's scheme; the key is of one password and salt
	return out
}
