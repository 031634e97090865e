package pages

import (
	"net/http"
	"net/url"
	"strings"
)

// Where links in mails lead (identity's composer makes them). Opening one changes nothing, for scanners of mail open them
// too: whoever reads the page sends the token with a button.

// mountLinks adds their pages.
func (p *Pages) mountLinks(at func(string, on)) {
	at("/verify-email", proving("verify", "/v1/auth/verify-email", "done.verified"))
	at("/confirm-email", proving("confirm", "/v1/auth/confirm-email-change", "done.email_changed"))
	at("/set-password", newPassword("initial", "/v1/auth/set-initial-password", "password", "done.password_set"))
	at("/reset-password", newPassword("reset", "/v1/auth/reset-password", "new_password", "done.password_reset"))
	at("/verify-email/again", on{post: asking("/v1/auth/resend-verification")})
	at("/forgot", on{get: (*visit).askForgot, post: asking("/v1/auth/request-password-reset")})
}

// linkPage is the page of a link.
type linkPage struct {
	Kind  string // in the catalogue
	Token string
	Path  string
	Least int // characters of a password
}

// proving is a link that says no more than that an address is somebody's.
func proving(kind, operation, done string) on {
	page := func(v *visit) linkPage {
		return linkPage{Kind: kind, Token: v.token(), Path: v.r.URL.Path}
	}
	return on{
		get: func(v *visit) error { return v.show("link", page(v)) },
		post: func(v *visit) error {
			var a struct {
				Email string `json:"email"`
			}
			if err := v.call(http.MethodPost, operation, map[string]string{"token": v.token()}, &a); err != nil {
				return v.backTo(v.here(), flow{}, err)
			}
			return v.beginsAgain(flow{Email: a.Email, Said: done})
		},
	}
}

// newPassword is a link that gives the right to set a password.
func newPassword(kind, operation, member, done string) on {
	page := func(v *visit) linkPage {
		return linkPage{Kind: kind, Token: v.token(), Path: v.r.URL.Path, Least: v.set.MinLength()}
	}
	return on{
		get: func(v *visit) error { return v.show("new-password", page(v)) },
		post: func(v *visit) error {
			err := v.call(http.MethodPost, operation, map[string]string{"token": v.token(), member: v.form("password")}, nil)
			if err != nil {
				return v.backTo(v.here(), flow{}, err)
			}
			return v.beginsAgain(flow{Said: done})
		},
	}
}

// token is that of the link, which the form carries on.
func (v *visit) token() string {
	if t := v.form("token"); t != "" {
		return t
	}
	return v.r.URL.Query().Get("token")
}

// here is the page of the link, with its token.
func (v *visit) here() string {
	return v.base + v.r.URL.Path + "?" + url.Values{"token": {v.token()}}.Encode()
}

// beginsAgain leads to the sign-in, with what was done. A session that the browser has from before may have ended by it.
func (v *visit) beginsAgain(f flow) error {
	if err := v.keep(f); err != nil {
		return err
	}
	v.to(v.Page("/signin"))
	return nil
}

// askForgot asks whose password it is.
func (v *visit) askForgot() error { return v.show("forgot", v.flow.Email) }

// asking has a mail sent to an address, and says the same whoever has it.
func asking(operation string) func(*visit) error {
	return func(v *visit) error {
		email := strings.TrimSpace(v.form("email"))
		if err := v.call(http.MethodPost, operation, map[string]string{"email": email}, nil); err != nil {
			return v.backTo(v.URL("/forgot"), flow{Email: email[:min(len(email), 254)]}, err)
		}
		return v.render(http.StatusAccepted, "mail-sent", view{visit: v, Data: email})
	}
}
