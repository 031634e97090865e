package policy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// notice is what a rule has to say to whoever it decides about, by language; "" is for everybody else.
type notice map[string]string

const noticeKey = "notice"

// variant is the name of an annotation that says the same in another language: notice_fr, notice_pt_br.
var variant = regexp.MustCompile(`^notice_([a-z]{2,3}(?:_[a-z0-9]{2,8})*)$`)

func noticeOf(p *cedar.Policy) (notice, error) {
	said := notice(nil)
	for key, value := range p.Annotations() {
		name := string(key)
		lang := ""
		if m := variant.FindStringSubmatch(name); m != nil {
			lang = m[1]
		} else if name != noticeKey {
			continue
		}
		if err := checkNotice(string(value)); err != nil {
			return nil, fmt.Errorf("@%s %w", name, err)
		}
		if said == nil {
			said = notice{}
		}
		said[lang] = string(value)
	}
	return said, nil
}

func checkNotice(text string) error {
	if n := utf8.RuneCountInString(text); n == 0 || n > MaxNotice || strings.TrimSpace(text) == "" || strings.ContainsFunc(text, isControl) {
		return fmt.Errorf("must be 1 to %d characters without control characters", MaxNotice)
	}
	return nil
}

// in is the text for the first of these locales (BCP 47) that there is one for: as it is, or without its last parts.
func (n notice) in(locales ...string) string {
	for _, locale := range locales {
		lang := strings.ToLower(strings.ReplaceAll(locale, "-", "_"))
		for lang != "" {
			if text, ok := n[lang]; ok {
				return text
			}
			lang = lang[:max(0, strings.LastIndexByte(lang, '_'))]
		}
	}
	if text, ok := n[""]; ok || len(n) == 0 {
		return text
	}
	return n.in("en", "fr", "de", "es") // all the author has written are variants: better one of them than nothing
}
