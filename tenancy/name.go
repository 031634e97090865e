package tenancy

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// CheckName is the rule for names of people and tenants: 1 to 100 characters, none of them a control character.
func CheckName(s string) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > 100 {
		return errors.New("must be 1 to 100 characters")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("must not hold control characters")
	}
	return nil
}

func parseLocale(s string) (string, error) {
	tag, err := language.Parse(s)
	if err != nil || len(s) > 35 {
		return "", errors.New("must be a language tag such as en or fr-CA")
	}
	return tag.String(), nil
}

// deref is the text, or none.
func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
