// Package letter turns what is to be said into the subject, the text and the HTML of a mail.
//
//	kind, locale --> template: the tenant's own, else ours --fields--> Letter
//
// Templates of a tenant are text that strangers to the platform write, so they are less than Go's: a field of the kind, and
// a choice by whether a field is there. There is no function, no loop and no other template to call, so what a template can
// produce is bounded by its size and the fields'. Which fields there are is fixed for each kind and checked when the
// template is stored, so that a letter does not fail when it is to be written.
package letter

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// Kind is what a letter is about.
type Kind string

// Kinds of letter. The first ones carry a link that does something, the others tell what has happened.
const (
	Invitation         Kind = "invitation"
	VerifyEmail        Kind = "verify_email"
	ResetPassword      Kind = "reset_password"
	ConfirmEmailChange Kind = "confirm_email_change"

	EmailChanged         Kind = "email_changed" // goes to the address before
	PasswordChanged      Kind = "password_changed"
	PasswordResetDone    Kind = "password_reset_done"
	AccountLocked        Kind = "account_locked"
	AccountExists        Kind = "account_exists"
	AccountDeleted       Kind = "account_deleted"
	FactorAdded          Kind = "factor_added"
	FactorRemoved        Kind = "factor_removed"
	FactorsReset         Kind = "factors_reset"
	BackupCodeUsed       Kind = "backup_code_used"
	BackupCodesReplaced  Kind = "backup_codes_replaced"
	AuthenticatorSuspect Kind = "authenticator_suspect"

	DomainFailing Kind = "domain_failing" // these go to administrators
	DomainLost    Kind = "domain_lost"
)

// Kinds are all of them.
var Kinds = []Kind{Invitation, VerifyEmail, ResetPassword, ConfirmEmailChange, EmailChanged, PasswordChanged, PasswordResetDone,
	AccountLocked, AccountExists, AccountDeleted, FactorAdded, FactorRemoved, FactorsReset, BackupCodeUsed, BackupCodesReplaced, AuthenticatorSuspect,
	DomainFailing, DomainLost}

// Fields are what a letter knows, by name.
type Fields map[string]string

// everyLetter are the fields of each kind: the tenant's name, the name and the address of whom it is for, and when what it
// tells of has happened.
var everyLetter = []string{"tenant", "name", "address", "time"}

var links = []Kind{Invitation, VerifyEmail, ResetPassword, ConfirmEmailChange}

// CarriesLink reports whether letters of the kind have the fields link and valid_for.
func (k Kind) CarriesLink() bool { return slices.Contains(links, k) }

// Known reports whether there is such a kind.
func (k Kind) Known() bool { return slices.Contains(Kinds, k) }

// Fields are the names that templates of the kind may use.
func (k Kind) Fields() []string {
	all := slices.Clone(everyLetter)
	if k.CarriesLink() {
		all = append(all, "link", "valid_for")
	}
	switch k {
	case FactorAdded, FactorRemoved, AuthenticatorSuspect:
		all = append(all, "method", "device_name")
	case BackupCodeUsed:
		all = append(all, "remaining")
	case EmailChanged:
		all = append(all, "new_email")
	case DomainFailing:
		all = append(all, "domain", "record", "value", "until")
	case DomainLost:
		all = append(all, "domain", "record", "value")
	}
	return all
}

// Letter is what is sent. HTML is empty where there is none.
type Letter struct{ Subject, Text, HTML string }

// ErrTemplate means that a tenant's template cannot be used.
var ErrTemplate = errors.New("letter: the template cannot be used")

// Write makes the letter of a kind from its fields: those that are not the kind's are left out, those that are missing are
// empty. own are the tenant's templates. Where one of those cannot be used the letter is ours and err says so: somebody
// waits for it.
func Write(k Kind, locale string, own Templates, f Fields) (l Letter, err error) {
	f = k.only(f)
	lang := language(locale)
	if t, ok := own.of(k, lang); ok {
		l, err = t.write(k, f)
		if err == nil {
			return l, nil
		}
	}
	ours, buildErr := builtin(k, lang).write(k, f)
	return ours, errors.Join(err, buildErr)
}

func (k Kind) only(f Fields) Fields {
	own := Fields{}
	for _, name := range k.Fields() {
		own[name] = printable(f[name])
	}
	return own
}

// printable is one line of bounded length: names and labels are chosen by people, and a letter is not theirs to lay out.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxField {
		return string(runes[:maxField])
	}
	return s
}

// maxField is longer than every link of ours.
const maxField = 1000

// language is the part of a locale that letters are written in: "de" of "de-AT".
func language(locale string) string {
	l, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(locale), "_", "-"), "-")
	return l
}
