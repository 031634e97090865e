package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// marks are how a reader tells mails apart: those with a link by where it leads, the others by their subject.
var marks = map[string]string{
	"invitation": "/set-password?token=", "verify_email": "/verify-email?token=",
	"reset_password": "/reset-password?token=", "confirm_email_change": "/confirm-email?token=",
	"password_changed": "Your password at Test was changed",
	"email_changed":    "The address of your account", "password_reset_done": "was set anew", "account_exists": "You have an account",
	"account_deleted": "was deleted",
}

// received is a mail as its reader has it; link and token are empty where it has none.
type received struct{ subject, link, token string }

var linkInMail = regexp.MustCompile(`https?://\S+\?token=\S+`)

// letters are the mails of a kind that came to an address, oldest first. What was posted before is there: it is waited for.
func (tt testTenant) letters(tb testing.TB, kind, to string) (all []received) {
	tb.Helper()
	eventually(tb, 30*time.Second, "all mails are sent", func() bool { return tt.count(tb, `select count(*) from mails`) == 0 })
	mails := tt.mails
	if !tt.config.Mail.configured() { // the platform that the others share sends for this one
		mails = sharedPlatform(tb).mails
	}
	for _, m := range mails.Mails(to) {
		r := received{subject: m.Subject, link: linkInMail.FindString(m.Text)}
		if u, err := url.Parse(r.link); err == nil {
			r.token = u.Query().Get("token")
		}
		if strings.Contains(m.Subject+" "+r.link, marks[kind]) {
			all = append(all, r)
		}
	}
	return all
}

// mailed is the newest mail of a kind that came to an address.
func (tt testTenant) mailed(tb testing.TB, kind, to string) received {
	tb.Helper()
	all := tt.letters(tb, kind, to)
	if len(all) == 0 {
		tb.Fatalf("no mail of the kind %s came to %s", kind, to)
	}
	return all[len(all)-1]
}
