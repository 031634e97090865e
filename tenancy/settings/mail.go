package settings

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/tenancy/mail/letter"
)

// Mail says how the tenant's mails look. The address they come from is the platform's: a name that the platform's mail
// server may not send for would not arrive.
type Mail struct {
	FromName  *string          `json:"from_name"` // null: the tenant's name
	ReplyTo   *string          `json:"reply_to"`  // an address; null: none
	Templates letter.Templates `json:"templates"` // by kind and language; what is not here is written by us
}

func (m Mail) check(bad map[string]string) {
	if m.FromName != nil && !visible(*m.FromName, 100) {
		bad["mail.from_name"] = "must be 1 to 100 printable characters"
	}
	if m.ReplyTo != nil && letter.CheckAddress(*m.ReplyTo) != nil {
		bad["mail.reply_to"] = "must be one e-mail address"
	}
	for path, why := range m.Templates.Check() {
		bad[strings.TrimSuffix("mail.templates."+path, ".")] = why
	}
}

// visible is one line that shows something, with nothing in it that changes how the rest of the line reads.
func visible(s string, most int) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) != "" && !strings.ContainsFunc(s, hidden)
}
