package tenancy

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// ParseName reads the name of a person, tenant or key: 1 to 100 characters without the white space around them. Refused
// are control characters, which a line feed in a log or a mail header is, and the marks that turn the direction of
// writing, by which one name can be made to look like another.
func ParseName(s string) (string, error) {
	if strings.ContainsFunc(s, unseen) {
		return "", errors.New("must not hold control characters")
	}
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < 1 || n > 100 {
		return "", errors.New("must be 1 to 100 characters")
	}
	return s, nil
}

func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\uFEFF'
}

// ParseLocale reads a language tag (BCP 47) and writes it the usual way.
func ParseLocale(s string) (string, error) {
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
