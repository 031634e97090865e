package letter

import (
	"errors"
	"net/mail"
	"strings"
)

// CheckAddress refuses what is not exactly one plain address and nothing else: no name, no comment, no list, no line break.
func CheckAddress(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("must be one e-mail address")
	}
	return nil
}
