package foreign

import (
	"encoding/base64"
	"strings"
)

// Lengths of salts and sums, in bytes. A salt is the other system's choice; a sum of less is too easy to meet by chance.
const (
	mostSalt = 128
	leastSum = 16
	mostSum  = 64
)

// unbase64 reads base64 of the standard alphabet, padded or not. Loose bits at the end are refused, and so are the line
// feeds that encoding/base64 skips.
func unbase64(s string, least, most int) ([]byte, error) {
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(s, "=") {
		encoding = base64.StdEncoding
	}
	if strings.ContainsAny(s, "\r\n") {
		return nil, ErrMalformed
	}
	b, err := encoding.Strict().DecodeString(s)
	if err != nil || len(b) < least || len(b) > most {
		return nil, ErrMalformed
	}
	return b, nil
}

// saltAndSum reads the last two fields of a PHC string.
func saltAndSum(fields []string) (salt, sum []byte, err error) {
	if salt, err = unbase64(fields[0], 1, mostSalt); err != nil {
		return nil, nil, err
	}
	sum, err = unbase64(fields[1], leastSum, mostSum)
	return salt, sum, err
}
