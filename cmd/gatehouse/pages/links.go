package pages

import (
	"net/http"
	"net/url"
)

// Where links in mails lead (identity's composer makes them). Opening one changes nothing, for scanners of mail open them
// too: whoever reads the page sends the token with a button.

// linkPage is the page of a link.
type linkPage struct {
	Kind  string // in the catalogue
	Token string
	Path  string
	Least int // characters of a password
}

// proving is a link that says no more than that an address is somebody's.
func proving(kind, operation, done string) on {
	return on{
		get: func(v *visit) error {
			return v.show("link", linkPage{Kind: kind, Token: v.token(), Path: v.r.URL.Path})
		},
		post: func(v *visit) error {
			var a struct {
				Email string `json:"email"`
			}
			if err := v.call(http.MethodPost, operation, map[string]string{"token": v.token()}, &a); err != nil {
				return v.backTo(v.here(), err)
			}
			if err := v.keep(flow{Email: a.Email}); err != nil {
				return err
			}
			return v.asksAgain(done)
		},
	}
}

// newPassword is a link that gives the right to set a password. member is what the operation calls it.
func newPassword(kind, operation, member, done string) on {
	return on{
		get: func(v *visit) error {
			return v.show("new-password", linkPage{Kind: kind, Token: v.token(), Path: v.r.URL.Path, Least: v.set.MinLength()})
		},
		post: func(v *visit) error {
			err := v.call(http.MethodPost, operation, map[string]string{"token": v.token(), member: v.form("new_password")}, nil)
			if err != nil {
				return v.backTo(v.here(), err)
			}
			return v.asksAgain(done)
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

// asksAgain leads to the sign-in with what was done, and asks there also whoever is signed in: the link may have been somebody else's.
func (v *visit) asksAgain(done string) error {
	if err := v.says(message{Done: done}); err != nil {
		return err
	}
	v.errand = errand{Prompt: true}
	return v.redirect("/signin")
}

// here is the page of the link, with its token.
func (v *visit) here() string {
	return v.Page(v.r.URL.Path) + "?" + url.Values{"token": {v.token()}}.Encode()
}

// askForgot asks whose password it is.
func (v *visit) askForgot() error { return v.show("forgot", v.flow.Email) }

// asking has a mail sent to an address, and says the same whoever has it. page is where the form is.
func asking(operation, page string) func(*visit) error {
	return func(v *visit) error {
		email := v.typedEmail()
		if err := v.keep(flow{Email: email}); err != nil {
			return err
		}
		if err := v.call(http.MethodPost, operation, map[string]string{"email": email}, nil); err != nil {
			if e := refused(err, "invalid_request"); e != nil {
				e.Code = "invalid_email"
			}
			return v.backTo(v.URL(page), err)
		}
		return v.redirect("/mail-sent")
	}
}

// mailSent says where to look.
func (v *visit) mailSent() error { return v.show("mail-sent", v.flow.Email) }
