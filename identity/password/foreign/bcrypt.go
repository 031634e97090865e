package foreign

import (
	"fmt"
	"regexp"

	"golang.org/x/crypto/bcrypt"
)

// 2a, 2b and 2y name fixes of other people's bugs; what they verify is the same.
const (
	leastBcrypt = 4
	mostBcrypt  = 14 // more than a second of a core
)

// bcryptLimit is how many bytes bcrypt looks at.
const bcryptLimit = 72

var bcryptGrammar = regexp.MustCompile(`^([0-9]{2})\$[./A-Za-z0-9]{53}$`)

func readBcrypt(rest string) (Kind, func([]byte) bool, error) {
	f := bcryptGrammar.FindStringSubmatch(rest)
	if f == nil {
		return "", nil, ErrMalformed
	}
	stored := []byte("$2b$" + rest)
	cost, err := bcrypt.Cost(stored)
	if err != nil || cost < leastBcrypt || cost > mostBcrypt {
		return "", nil, ErrCost
	}
	return Kind(fmt.Sprintf("bcrypt-%02d", cost)), func(pw []byte) bool {
		// Compared all the same, so that a long password takes no other time.
		return bcrypt.CompareHashAndPassword(stored, pw[:min(len(pw), bcryptLimit)]) == nil && len(pw) <= bcryptLimit
	}, nil
}
